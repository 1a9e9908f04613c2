// syntax_dump [--attributes] [--no-fstring-attributes] [--check] [--time]
//             [FILE ...]
// Dumps the syntax trees of files as CPython's ast.dump does; --check parses
// only. Without FILEs, reads paths from stdin, one a line, and answers each
// with "ok <bytes>\n<dump>\n" or "rejected <bytes>\n<diagnostics>\n".

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "diagnostics/diagnostic.h"
#include "syntax/dump.h"
#include "syntax/parser.h"

namespace {

using portwright::syntax::parse_module;

struct Options {
  portwright::syntax::DumpOptions dump;
  bool check = false;
  bool time = false;
};

struct Totals {
  size_t files = 0;
  size_t rejected = 0;
  size_t lines = 0;
  double seconds = 0;
};

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool show(
    const std::string& path,
    const Options& options,
    Totals& totals,
    std::string& out) {
  std::string bytes = read_file(path);
  const auto start = std::chrono::steady_clock::now();
  const auto result = parse_module(path, std::move(bytes));
  totals.seconds +=
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  totals.lines += result.tree.source->line_count();
  ++totals.files;
  if (!result.diagnostics.empty()) {
    ++totals.rejected;
    for (const auto& d : result.diagnostics) {
      out += portwright::diagnostics::render_text(d);
    }
    return false;
  }
  if (!options.check) {
    out = portwright::syntax::dump(result.tree, options.dump);
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  Totals totals;
  std::vector<std::string> paths;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "--attributes") {
      options.dump.attributes = true;
    } else if (arg == "--no-fstring-attributes") {
      options.dump.fstring_attributes = false;
    } else if (arg == "--check") {
      options.check = true;
    } else if (arg == "--time") {
      options.time = true;
    } else {
      paths.push_back(arg);
    }
  }
  const bool framed = paths.empty();
  if (framed) {
    std::ios::sync_with_stdio(false);
    for (std::string line; std::getline(std::cin, line);) {
      std::string out;
      const bool good = show(line, options, totals, out);
      std::cout << (good ? "ok " : "rejected ") << out.size() << '\n'
                << out << '\n';
      std::cout.flush();
    }
  } else {
    for (const auto& path : paths) {
      std::string out;
      show(path, options, totals, out);
      std::cout << out << '\n';
    }
  }
  if (options.time) {
    std::fprintf(
        stderr,
        "%zu files, %zu rejected, %zu lines in %.3f s: %.2f million lines/s\n",
        totals.files,
        totals.rejected,
        totals.lines,
        totals.seconds,
        static_cast<double>(totals.lines) / totals.seconds / 1e6);
  }
  return totals.rejected == 0 ? 0 : 1;
}

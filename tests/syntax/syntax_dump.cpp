// syntax_dump [--attributes] [--no-fstring-attributes] [--check] [--round-trip]
//             [--time] [FILE ...]
// Dumps the syntax trees of files as CPython's ast.dump does; --check parses
// only, --round-trip checks that the printed tree parses to an equal one.
// Without FILEs, reads paths from stdin, one a line, and answers each with
// "ok <bytes>\n<dump>\n" or "rejected <bytes>\n<diagnostics>\n".

#include <algorithm>
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
#include "syntax/printer.h"

namespace {

using portwright::syntax::parse_module;

struct Options {
  portwright::syntax::DumpOptions dump;
  bool check = false;
  bool round_trip = false;
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

// Whether the printed tree parses to an equal tree.
bool round_trips(const portwright::syntax::Tree& tree, std::string& out) {
  const std::string printed = portwright::syntax::print(tree);
  const auto again = parse_module("<printed>", printed);
  for (const auto& d : again.diagnostics) {
    out += portwright::diagnostics::render_text(d);
  }
  const std::string before = portwright::syntax::dump(tree, false);
  const std::string after = portwright::syntax::dump(again.tree, false);
  if (out.empty() && before != after) {
    const auto [a, b] =
        std::mismatch(before.begin(), before.end(), after.begin(), after.end());
    const size_t at = std::max<ptrdiff_t>(0, a - before.begin() - 80);
    out = "parsed:  " + before.substr(at, 160) +
          "\nprinted: " + after.substr(at, 160) + '\n';
  }
  return out.empty();
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
  if (options.round_trip) {
    return round_trips(result.tree, out);
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
    } else if (arg == "--round-trip") {
      options.round_trip = true;
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

// Runs Python files over our own mlx.core.
//   candidate_tool report PYTHON FILE        prints what its report() answers
//   candidate_tool prove PYTHON TRANSFORMERS PORT CONFIG...   a proof each;
//     CONFIG may be CONFIG,OTHER, which means the same in other words

#include <iostream>

#include "base/paths.h"
#include "candidate/proof.h"
#include "library/guarded.h"

namespace {

using namespace portwright;
using eval::Value;

std::string text_of(const std::string& path) {
  const auto text = base::read_file(path);
  if (!text) {
    std::cerr << text.error().message << "\n";
    std::exit(1);
  }
  return *text;
}

[[noreturn]] void fail(const diagnostics::Diagnostic& fault) {
  std::cerr << diagnostics::render_json(fault) << "\n";
  std::exit(1);
}

void install(eval::Interpreter& interp, const std::string& python) {
  const auto packages = candidate::find_packages(python);
  if (!packages) {
    std::cerr << packages.error().message << "\n";
    std::exit(1);
  }
  candidate::install_mlx_lm(interp, *packages);
}

int report(const std::string& python, const std::string& file) {
  eval::Interpreter interp;
  install(interp, python);
  const auto text = library::guarded(interp, [&] {
    const Value module(interp.run_source("cases", file, text_of(file)));
    return interp.call(interp.getattr(module, "report")).str();
  });
  if (!text) {
    fail(text.error());
  }
  std::cout << *text << "\n";
  return 0;
}

int prove(
    const std::string& python,
    const std::string& transformers,
    const std::string& file,
    const std::vector<std::string>& configs) {
  eval::Interpreter interp;
  library::install_library(interp, transformers);
  install(interp, python);
  const auto port = candidate::Port::load(interp, text_of(file), file);
  if (!port) {
    fail(port.error());
  }
  bool passed = true;
  for (const std::string& path : configs) {
    const size_t comma = path.find(',');
    const auto fields = nlohmann::json::parse(text_of(path.substr(0, comma)));
    candidate::Port::Spelling spelling;
    if (comma != std::string::npos) {
      spelling = {
          "other words",
          nlohmann::json::parse(text_of(path.substr(comma + 1)))};
    }
    const candidate::Proof proof =
        port->prove(fields, candidate::Port::Depth::Full, spelling);
    std::cout << to_json(proof).dump() << "\n";
    if (proof.fault) {
      std::cerr << diagnostics::render_json(*proof.fault) << "\n";
    }
    passed = passed && proof.verdict == candidate::Verdict::Passed;
  }
  return passed ? 0 : 1;
}

}  // namespace

int main(int count, char** values) {
  const std::vector<std::string> args(values + 1, values + count);
  if (args.size() == 3 && args[0] == "report") {
    return report(args[1], args[2]);
  }
  if (args.size() >= 5 && args[0] == "prove") {
    return prove(args[1], args[2], args[3], {args.begin() + 4, args.end()});
  }
  std::cerr << "candidate_tool report PYTHON FILE | "
               "prove PYTHON TRANSFORMERS PORT CONFIG...\n";
  return 2;
}

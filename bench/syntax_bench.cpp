// syntax_bench [--benchmark_...] PATH ...
// Lines a second over Python files, or over all of those in folders.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "syntax/dump.h"
#include "syntax/lexer.h"
#include "syntax/parser.h"
#include "syntax/printer.h"
#include "syntax/source_text.h"

namespace {

namespace fs = std::filesystem;
using namespace portwright::syntax;
using portwright::diagnostics::Diagnostic;

struct Corpus {
  std::vector<std::string> texts;
  size_t lines = 0;
  size_t bytes = 0;

  void add(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    lines += static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
    bytes += text.size();
    texts.push_back(std::move(text));
  }
  void count(benchmark::State& state) const {
    const auto rounds = static_cast<double>(state.iterations());
    state.counters["lines"] = benchmark::Counter(
        rounds * static_cast<double>(lines), benchmark::Counter::kIsRate);
    state.SetBytesProcessed(
        static_cast<int64_t>(rounds * static_cast<double>(bytes)));
  }
};

Corpus corpus;

void decode_files(benchmark::State& state) {
  for (auto _ : state) {
    for (const auto& text : corpus.texts) {
      std::vector<Diagnostic> diagnostics;
      benchmark::DoNotOptimize(decode_source("bench.py", text, diagnostics));
    }
  }
  corpus.count(state);
}

void lex_files(benchmark::State& state) {
  for (auto _ : state) {
    for (const auto& text : corpus.texts) {
      std::vector<Diagnostic> diagnostics;
      const auto source = decode_source("bench.py", text, diagnostics);
      benchmark::DoNotOptimize(lex(*source, diagnostics));
    }
  }
  corpus.count(state);
}

void parse_files(benchmark::State& state) {
  for (auto _ : state) {
    for (const auto& text : corpus.texts) {
      benchmark::DoNotOptimize(parse_module("bench.py", text));
    }
  }
  corpus.count(state);
}

void print_files(benchmark::State& state) {
  std::vector<ParseResult> parsed;
  for (const auto& text : corpus.texts) {
    parsed.push_back(parse_module("bench.py", text));
  }
  for (auto _ : state) {
    for (const auto& result : parsed) {
      benchmark::DoNotOptimize(print(result.tree));
    }
  }
  corpus.count(state);
}

BENCHMARK(decode_files)->Unit(benchmark::kMillisecond);
BENCHMARK(lex_files)->Unit(benchmark::kMillisecond);
BENCHMARK(parse_files)->Unit(benchmark::kMillisecond);
BENCHMARK(print_files)->Unit(benchmark::kMillisecond);

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    const fs::path path = argv[i];
    if (!fs::is_directory(path)) {
      corpus.add(path);
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      if (entry.path().extension() == ".py") {
        corpus.add(entry.path());
      }
    }
  }
  if (corpus.texts.empty()) {
    std::fprintf(stderr, "usage: syntax_bench PATH ...\n");
    return 2;
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

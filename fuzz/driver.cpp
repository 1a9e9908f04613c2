// Drives a fuzz target where there is no libFuzzer: mutates the seeds a fixed
// number of times from a fixed seed, so that every run is the same.
//
//     target SEEDS_DIR [RUNS] [--only INDEX]
//
// PORTWRIGHT_FUZZ_RUNS is the default of RUNS. A crash or a hang prints the
// index of its input; --only runs that one alone.

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr unsigned kSecondsAnInput = 20;
constexpr size_t kLargest = 1 << 14;

using Random = std::mt19937_64;

volatile std::sig_atomic_t current = 0;

void report(int signal) {
  char text[128];
  const int n = std::snprintf(
      text,
      sizeof text,
      "\n%s at input %ld; run it alone with --only %ld\n",
      signal == SIGALRM ? "hangs" : "crashes",
      static_cast<long>(current),
      static_cast<long>(current));
  (void)!::write(STDERR_FILENO, text, static_cast<size_t>(n));
  ::_exit(1);
}

size_t below(Random& random, size_t end) {
  return end == 0 ? 0 : random() % end;
}

void mutate(std::string& text, const std::string& other, Random& random) {
  const size_t at = below(random, text.size());
  const size_t length = 1 + below(random, 16);
  switch (random() % 7) {
    case 0:  // flip a bit
      if (!text.empty()) {
        text[at] = static_cast<char>(text[at] ^ (1 << random() % 8));
      }
      break;
    case 1:  // set a byte
      if (!text.empty()) {
        text[at] = static_cast<char>(random());
      }
      break;
    case 2:
      text.erase(at, length);
      break;
    case 3:  // repeat a piece, sometimes very often: nesting
      for (size_t n = random() % 8 == 0 ? 1000 : 1; n > 0; --n) {
        text.insert(at, text.substr(at, length % 4 + 1));
      }
      break;
    case 4: {  // a piece of another seed
      const size_t from = below(random, other.size());
      text.insert(at, other.substr(from, 1 + below(random, 64)));
      break;
    }
    case 5:
      text.resize(at);
      break;
    default: {  // a number from the edges
      static constexpr const char* kEdges[] = {
          "0", "-1", "18446744073709551615", "9223372036854775808", "1e999"};
      text.insert(at, kEdges[random() % std::size(kEdges)]);
      break;
    }
  }
  text.resize(std::min(text.size(), kLargest));
}

std::vector<std::string> read_seeds(const char* folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> seeds;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    using Bytes = std::istreambuf_iterator<char>;
    seeds.emplace_back(Bytes(file), Bytes());
  }
  return seeds;
}

/// Input number `index`: the seeds as they are first, then mutations of them.
std::string make_input(const std::vector<std::string>& seeds, size_t index) {
  if (index < seeds.size()) {
    return seeds[index];
  }
  Random random(index);
  std::string text = seeds[below(random, seeds.size())];
  for (size_t n = 1 + random() % 6; n > 0; --n) {
    mutate(text, seeds[below(random, seeds.size())], random);
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(
        stderr, "usage: %s SEEDS_DIR [RUNS] [--only INDEX]\n", argv[0]);
    return 2;
  }
  const char* wanted = std::getenv("PORTWRIGHT_FUZZ_RUNS");
  size_t begin = 0;
  size_t end = wanted ? std::strtoull(wanted, nullptr, 10) : 2000;
  for (int i = 2; i < argc; ++i) {
    if (std::strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
      begin = std::strtoull(argv[++i], nullptr, 10);
      end = begin + 1;
    } else {
      end = std::strtoull(argv[i], nullptr, 10);
    }
  }
  const auto seeds = read_seeds(argv[1]);
  if (seeds.empty()) {
    std::fprintf(stderr, "no seeds in %s\n", argv[1]);
    return 2;
  }
  for (const int signal : {SIGABRT, SIGALRM, SIGSEGV, SIGBUS, SIGFPE}) {
    std::signal(signal, report);
  }
  for (size_t index = begin; index < end; ++index) {
    current = static_cast<std::sig_atomic_t>(index);
    const std::string input = make_input(seeds, index);
    // Of exactly its size on the heap, so that a sanitizer sees every overrun.
    std::vector<uint8_t> bytes(input.begin(), input.end());
    ::alarm(kSecondsAnInput);
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  std::printf("%zu inputs from %zu seeds\n", end - begin, seeds.size());
  return 0;
}

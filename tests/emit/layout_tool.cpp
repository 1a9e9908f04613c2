// Lays out the files named on the command line. For each one prints "ok" or
// "error", a space, the number of bytes that follow on the next line, and them.

#include <cstdio>

#include "base/paths.h"
#include "emit/layout.h"

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const auto out = portwright::base::read_file(argv[i]).and_then(
        [](const std::string& text) { return portwright::emit::layout(text); });
    const std::string& text = out ? *out : out.error().message;
    std::printf("%s %zu\n", out ? "ok" : "error", text.size());
    std::fwrite(text.data(), 1, text.size(), stdout);
  }
  return 0;
}

#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "eval/interpreter.h"
#include "syntax/parser.h"

namespace portwright::eval {

/// Valid files that interpreters of this process have parsed, by path: all read
/// the same library. Any thread may ask.
class ParsedFiles {
 public:
  static ParsedFiles& instance();
  ~ParsedFiles();

  /// The tree of that text, which shares its nodes; waits for one that is being
  /// parsed ahead.
  std::optional<syntax::Tree> find(
      const std::string& path,
      const std::string& text);
  void keep(std::string path, std::string text, const syntax::Tree& tree);

  struct Ahead {
    std::string path;
    std::optional<std::string_view> text;  // else the file's
  };

  /// Parses files on a thread of its own, in this order, while others work.
  /// One that cannot be read or parsed is left to who asks for it.
  void parse_ahead(const std::vector<Ahead>& files);

 private:
  void run();
  static constexpr size_t kMost = 4096;
  struct File {
    std::string text;
    syntax::Tree tree;
  };
  std::mutex mutex_;
  std::condition_variable parsed_;
  std::unordered_map<std::string, File> files_;
  std::unordered_set<std::string> asked_;
  std::deque<Ahead> ahead_;
  std::string under_way_;
  std::thread thread_;
};

/// Parses modules that will be imported.
void parse_ahead(Interpreter& interp, const std::vector<std::string>& modules);

}  // namespace portwright::eval

#include "eval/parsed_files.h"

#include "base/paths.h"

namespace portwright::eval {

ParsedFiles& ParsedFiles::instance() {
  static ParsedFiles files;
  return files;
}

ParsedFiles::~ParsedFiles() {
  {
    const std::lock_guard lock(mutex_);
    ahead_.clear();
  }
  if (thread_.joinable()) {
    thread_.join();
  }
}

std::optional<syntax::Tree> ParsedFiles::find(
    const std::string& path,
    const std::string& text) {
  std::unique_lock lock(mutex_);
  parsed_.wait(lock, [&] { return under_way_ != path; });
  asked_.insert(path);
  const auto it = files_.find(path);
  return it != files_.end() && it->second.text == text
             ? std::optional(it->second.tree)
             : std::nullopt;
}

void ParsedFiles::keep(
    std::string path,
    std::string text,
    const syntax::Tree& tree) {
  const std::lock_guard lock(mutex_);
  if (files_.size() < kMost) {
    files_.insert_or_assign(std::move(path), File{std::move(text), tree});
  }
}

void ParsedFiles::parse_ahead(const std::vector<Ahead>& files) {
  std::unique_lock lock(mutex_);
  const bool idle = ahead_.empty() && under_way_.empty();
  for (const Ahead& file : files) {
    if (!asked_.contains(file.path)) {
      ahead_.push_back(file);
    }
  }
  if (!idle || ahead_.empty()) {
    return;
  }
  lock.unlock();
  if (thread_.joinable()) {
    thread_.join();
  }
  thread_ = std::thread([this] { run(); });
}

void ParsedFiles::run() {
  std::unique_lock lock(mutex_);
  while (!ahead_.empty()) {
    const auto [path, given] = std::move(ahead_.front());
    ahead_.pop_front();
    if (!asked_.insert(path).second) {
      continue;
    }
    under_way_ = path;
    lock.unlock();
    std::optional<syntax::Tree> tree;
    auto text = given ? base::Result<std::string>(std::string(*given))
                      : base::read_file(path);
    if (text) {
      auto parsed = syntax::parse_module(path, *text);
      if (parsed.diagnostics.empty()) {
        tree = std::move(parsed.tree);
      }
    }
    lock.lock();
    if (tree) {
      files_.insert_or_assign(path, File{std::move(*text), std::move(*tree)});
    }
    under_way_.clear();
    parsed_.notify_all();
  }
}

}  // namespace portwright::eval

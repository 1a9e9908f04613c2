#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/interrupt.h"
#include "base/result.h"

namespace portwright::base {

namespace fs = std::filesystem;

/// The user's cache directory for us, made when missing: XDG_CACHE_HOME or
/// ~/.cache, on macOS ~/Library/Caches, each with /portwright.
Result<fs::path> cache_directory();

/// The folder of what we ship beside the binary (the workers): PORTWRIGHT_HOME,
/// else found from where the binary lies.
Result<fs::path> data_directory();

/// The running binary.
fs::path executable_path();

/// Whole file as bytes. The Error names the path and the reason.
Result<std::string> read_file(const fs::path& path);

/// Makes a directory and its parents.
Result<void> make_directories(const fs::path& path);

/// A file that appears under its name complete or not at all: written beside
/// its place under another name, synced and renamed by commit(). Dropped
/// without commit, or interrupted, it leaves nothing.
class AtomicFile {
 public:
  /// Makes missing parent directories. Fails on a read-only place.
  static Result<AtomicFile> create(const fs::path& path);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  Result<void> write(std::string_view bytes);
  Result<void> write(std::span<const std::byte> bytes);
  Result<void> commit();

 private:
  AtomicFile(fs::path path, fs::path temporary, int fd);
  fs::path path_;
  fs::path temporary_;
  int fd_ = -1;
  OnInterrupt on_interrupt_;
};

/// AtomicFile in one call.
Result<void> write_file(const fs::path& path, std::string_view bytes);

/// A directory of our own under the system's temporary directory, removed with
/// everything in it when this dies or an interrupt comes.
class TemporaryDirectory {
 public:
  static Result<TemporaryDirectory> create(std::string_view prefix);

  TemporaryDirectory(TemporaryDirectory&& other) noexcept;
  TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;
  ~TemporaryDirectory();

  const fs::path& path() const {
    return path_;
  }

 private:
  explicit TemporaryDirectory(fs::path path);
  fs::path path_;
  OnInterrupt on_interrupt_;
};

}  // namespace portwright::base

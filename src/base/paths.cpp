#include "base/paths.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

namespace portwright::base {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string hint_for(int error) {
  switch (error) {
    case EACCES:
    case EPERM:
      return "check the permissions of the directory, or choose another place";
    case EROFS:
      return "the file system is read-only; choose another place";
    case ENOSPC:
    case EDQUOT:
      return "the disc is full; free some space or choose another place";
    case ENOTDIR:
      return "a part of the path is a file, not a directory";
    case EISDIR:
      return "a directory has this name";
    default:
      return "";
  }
}

tl::unexpected<Error>
fail_errno(std::string_view doing, const fs::path& path, int error) {
  return fail(
      "cannot " + std::string(doing) + " " + path.string() + ": " +
          std::strerror(error),
      hint_for(error));
}

}  // namespace

fs::path executable_path() {
  std::error_code error;
#ifdef __APPLE__
  uint32_t size = 0;
  _NSGetExecutablePath(nullptr, &size);
  std::string buffer(size, '\0');
  if (_NSGetExecutablePath(buffer.data(), &size) == 0) {
    return fs::weakly_canonical(buffer.c_str(), error);
  }
  return {};
#else
  return fs::read_symlink("/proc/self/exe", error);
#endif
}

Result<fs::path> cache_directory() {
  fs::path base = variable("XDG_CACHE_HOME");
  // The specification has relative values ignored.
  if (!base.is_absolute()) {
    const std::string home = variable("HOME");
    if (home.empty()) {
      return fail(
          "no cache directory: HOME is not set", "set HOME or XDG_CACHE_HOME");
    }
#ifdef __APPLE__
    base = fs::path(home) / "Library" / "Caches";
#else
    base = fs::path(home) / ".cache";
#endif
  }
  const fs::path path = base / "portwright";
  if (auto made = make_directories(path); !made) {
    return tl::unexpected(made.error());
  }
  return path;
}

Result<fs::path> data_directory() {
  if (const std::string home = variable("PORTWRIGHT_HOME"); !home.empty()) {
    return fs::path(home);
  }
  // In a wheel the binary lies in portwright/bin, in a checkout below build/.
  std::error_code error;
  fs::path folder = executable_path().parent_path();
  for (int up = 0; up < 6 && folder.has_relative_path(); ++up) {
    for (const fs::path& candidate :
         {folder, folder / "python" / "portwright"}) {
      if (fs::is_directory(candidate / "workers", error)) {
        return candidate;
      }
    }
    folder = folder.parent_path();
  }
  return fail(
      "the files that belong to portwright are not beside it",
      "start it as ./portwright from the checkout, or set PORTWRIGHT_HOME");
}

Result<std::string> read_file(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return fail_errno("read", path, errno);
  }
  std::string text;
  struct stat info {};
  if (::fstat(fd, &info) == 0 && info.st_size > 0) {
    text.reserve(static_cast<size_t>(info.st_size));
  }
  std::vector<char> buffer(1 << 16);
  while (true) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n > 0) {
      text.append(buffer.data(), static_cast<size_t>(n));
    } else if (n == 0) {
      ::close(fd);
      return text;
    } else if (errno != EINTR) {
      const int error = errno;
      ::close(fd);
      return fail_errno("read", path, error);
    }
  }
}

Result<void> make_directories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    return fail_errno("make the directory", path, error.value());
  }
  return {};
}

AtomicFile::AtomicFile(fs::path path, fs::path temporary, int fd)
    : path_(std::move(path)),
      temporary_(std::move(temporary)),
      fd_(fd),
      on_interrupt_([file = temporary_] { ::unlink(file.c_str()); }) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::exchange(other.fd_, -1)),
      on_interrupt_(std::move(other.on_interrupt_)) {}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
  if (!temporary_.empty()) {
    ::unlink(temporary_.c_str());
  }
}

Result<AtomicFile> AtomicFile::create(const fs::path& path) {
  if (path.has_parent_path()) {
    if (auto made = make_directories(path.parent_path()); !made) {
      return tl::unexpected(made.error());
    }
  }
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    return fail_errno("write", path, EISDIR);
  }
  std::string name =
      (path.parent_path() / ("." + path.filename().string() + ".XXXXXX"))
          .string();
  const int fd = ::mkstemp(name.data());
  if (fd < 0) {
    return fail_errno("write", path, errno);
  }
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  // mkstemp makes private files; ours get the usual mode, or keep their own.
  struct stat old {};
  const mode_t mask = ::umask(0);
  ::umask(mask);
  ::fchmod(
      fd, ::stat(path.c_str(), &old) == 0 ? old.st_mode & 0777 : 0666 & ~mask);
  return AtomicFile(path, name, fd);
}

Result<void> AtomicFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n >= 0) {
      bytes.remove_prefix(static_cast<size_t>(n));
    } else if (errno != EINTR) {
      return fail_errno("write", path_, errno);
    }
  }
  return {};
}

Result<void> AtomicFile::write(std::span<const std::byte> bytes) {
  return write(std::string_view(
      reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

Result<void> AtomicFile::commit() {
  if (::fsync(fd_) != 0) {
    return fail_errno("write", path_, errno);
  }
  const int closed = ::close(std::exchange(fd_, -1));
  if (closed != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    return fail_errno("write", path_, errno);
  }
  temporary_.clear();
  return {};
}

Result<void> write_file(const fs::path& path, std::string_view bytes) {
  auto file = AtomicFile::create(path);
  if (!file) {
    return tl::unexpected(file.error());
  }
  if (auto wrote = file->write(bytes); !wrote) {
    return wrote;
  }
  return file->commit();
}

TemporaryDirectory::TemporaryDirectory(fs::path path)
    : path_(std::move(path)), on_interrupt_([folder = path_] {
        std::error_code ignored;
        fs::remove_all(folder, ignored);
      }) {}

TemporaryDirectory::TemporaryDirectory(TemporaryDirectory&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      on_interrupt_(std::move(other.on_interrupt_)) {}

TemporaryDirectory::~TemporaryDirectory() {
  if (!path_.empty()) {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
}

Result<TemporaryDirectory> TemporaryDirectory::create(std::string_view prefix) {
  std::error_code error;
  const fs::path base = fs::temp_directory_path(error);
  if (error) {
    return fail_errno("use the temporary directory", base, error.value());
  }
  std::string name = (base / (std::string(prefix) + ".XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) {
    return fail_errno("make the directory", name, errno);
  }
  return TemporaryDirectory(name);
}

}  // namespace portwright::base

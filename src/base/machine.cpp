#include "base/machine.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>
#ifdef __APPLE__
#include <sys/sysctl.h>
#else
#include <linux/magic.h>
#include <sys/vfs.h>
#endif

namespace portwright::base {
namespace {

std::string processor_name() {
#ifdef __APPLE__
  char text[256] = {};
  size_t size = sizeof text - 1;
  return ::sysctlbyname("machdep.cpu.brand_string", text, &size, nullptr, 0)
             ? ""
             : text;
#else
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "";
#endif
}

/// The least limit that a control group or one above it sets.
uint64_t limit_along(
    const std::string& root,
    const std::string& path,
    const char* name) {
  uint64_t out = UINT64_MAX;
  for (std::filesystem::path group = path;; group = group.parent_path()) {
    std::ifstream file(root + group.string() + "/" + name);
    uint64_t bytes = 0;
    if (file >> bytes && bytes > 0) {  // "max": no limit
      out = std::min(out, bytes);
    }
    if (group == group.parent_path()) {
      return out;
    }
  }
}

}  // namespace

Machine this_machine() {
  Machine out;
  utsname names{};
  if (::uname(&names) == 0) {
    out.system = std::string(names.sysname) + " " + names.release;
    out.architecture = names.machine;
  }
  out.processor = processor_name();
  out.cores = std::max(1u, std::thread::hardware_concurrency());
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page = ::sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0) {
    out.memory_bytes =
        static_cast<uint64_t>(pages) * static_cast<uint64_t>(page);
  }
  return out;
}

uint64_t usable_memory() {
  uint64_t out = this_machine().memory_bytes;
  // A line is ID:CONTROLLERS:PATH; version 2 names no controllers.
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (second == std::string::npos) {
      continue;
    }
    const auto controllers = line.substr(first + 1, second - first - 1);
    const auto path = line.substr(second + 1);
    if (controllers.empty()) {
      out = std::min(out, limit_along("/sys/fs/cgroup", path, "memory.max"));
    } else if (controllers == "memory") {
      out = std::min(
          out,
          limit_along("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes"));
    }
  }
  return out;
}

bool lies_in_memory(const std::filesystem::path& folder) {
#ifdef __APPLE__
  (void)folder;
  return false;
#else
  struct statfs facts {};
  return ::statfs(folder.c_str(), &facts) == 0 &&
         (facts.f_type == TMPFS_MAGIC || facts.f_type == RAMFS_MAGIC);
#endif
}

}  // namespace portwright::base

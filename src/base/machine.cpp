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
  for (const char* limit :
       {"/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(limit);
    uint64_t bytes = 0;
    if (file >> bytes && bytes > 0) {  // "max": no limit
      out = std::min(out, bytes);
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

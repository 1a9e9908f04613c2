#include "verify/stress.h"

namespace portwright::verify {
namespace {

// Of the same thing: a bug of the kind looked for may show a little.
constexpr double kAlike = 0.05;

bool agree(const Run& a, const Run& b, const std::string& key) {
  const auto x = a.find(key);
  const auto y = b.find(key);
  if (!x || !y || x->shape.size() < 2 || x->shape != y->shape) {
    return false;
  }
  const auto difference = compare(*x, *y);
  return difference && difference->relative <= kAlike;
}

bool chooses_inside(const Run& run, const std::string& path) {
  for (const auto& key : run.order) {
    if ((key == path || key.starts_with(path + ".")) &&
        (run.has("routes:" + key) || run.has("chosen:" + key))) {
      return true;
    }
  }
  return false;
}

}  // namespace

Outcome<std::vector<std::vector<std::string>>> common_modules(
    Session& session) {
  const auto torch = session.reference_prefill();
  if (!torch) {
    return tl::unexpected(torch.error());
  }
  const auto port = session.candidate_prefill();
  if (!port) {
    return tl::unexpected(port.error());
  }
  std::map<ptrdiff_t, std::vector<std::string>> by_depth;
  for (const auto& path : (*torch)->order) {
    const auto again = path + "#2";
    const bool once = path.find('#') == path.npos &&
                      !(*torch)->has("in:" + again) &&
                      !(*port)->has("in:" + again);
    if (once && agree(**port, **torch, "in:" + path) &&
        agree(**port, **torch, "out:" + path) &&
        !chooses_inside(**port, path) && !chooses_inside(**torch, path)) {
      by_depth[std::count(path.begin(), path.end(), '.')].push_back(path);
    }
  }
  std::vector<std::vector<std::string>> out;
  for (auto& [depth, paths] : by_depth) {
    out.push_back(std::move(paths));
  }
  return out;
}

std::map<std::string, std::string> stressed_feed(
    const std::vector<std::string>& paths,
    const Run& torch,
    const std::string& prefix) {
  std::map<std::string, std::string> out;
  for (const auto& path : paths) {
    const auto key = prefix + "/in:" + path;
    if (torch.has(key)) {
      out["in:" + path] = key;
    }
  }
  return out;
}

}  // namespace portwright::verify

#include "verify/between.h"

#include <algorithm>

#include "verify/place.h"

namespace portwright::verify {
namespace {

using nlohmann::json;

bool can_replace(const Array& a, const Array& b) {
  return are_alike(a, b) &&
         (a.shape == b.shape || a.shape.size() != b.shape.size());
}

bool has_answers_inside(const Between& between, const std::string& path) {
  const auto first = between.answers.lower_bound("out:" + path + ".");
  return first != between.answers.end() &&
         first->first.starts_with("out:" + path + ".");
}

}  // namespace

Outcome<Between>
torch_between(Session& session, const Run& torch, const Run& wide) {
  std::vector<std::string> paths;
  for (const auto& path : torch.order) {
    const auto ours = wide.find("out:" + path);
    const auto exact = torch.find("exact:" + path);
    if (path.find('#') == path.npos && !wide.has("routes:" + path) && ours &&
        exact && can_replace(*ours, *exact)) {
      paths.push_back(path);
    }
  }
  auto exact = session.reference().tensors(
      "between",
      {{"folder", session.subject().checkpoint.string()},
       {"ids", json::array({session.plan().ids})},
       {"low", torch.path()},
       {"paths", paths}});
  if (!exact) {
    return tl::unexpected(exact.error());
  }
  Between out;
  out.exact = std::move(*exact);
  for (const auto& path : paths) {
    if (out.exact.has("out:" + path)) {
      out.answers["out:" + path] = "low:" + path;
    }
  }
  return out;
}

BetweenRounding find_worst_between(
    const Between& between,
    const Run& torch,
    const Run& port,
    const Run& wide) {
  BetweenRounding out;
  for (const auto& path : torch.order) {
    if (port.has("routes:" + path)) {  // one side may sort the rows
      continue;
    }
    for (const bool given : {true, false}) {
      const auto key = (given ? "in:" : "out:") + path;
      if (!given && !has_answers_inside(between, path)) {
        continue;
      }
      const auto found = judge_rounding(
          {port.find(key),
           wide.find(key),
           torch.find(given ? key : "low:" + path),
           between.exact.find(key)},
          path);
      if (found && found->ratio > out.worst.ratio) {
        out = {*found, given};
      }
    }
  }
  return out;
}

Place place_between(Session& session, const BetweenRounding& found) {
  if (!found.given) {
    Place out = place_at(session, found.worst.path);
    out.tensor = "output";
    return out;
  }
  return place_of_input(session, found.worst.path);
}

}  // namespace portwright::verify

#include "verify/exception.h"

#include "verify/given.h"
#include "verify/locate.h"
#include "verify/place.h"

namespace portwright::verify {
namespace {

/// The module at `path` does not raise with the masks that torch gives it,
/// without any, or with those that the cache of its layer asks for.
bool raises_by_mask(
    Session& session,
    RunRequest request,
    const std::string& path,
    const std::optional<int>& layer) {
  RunRequest whole = request;
  whole.capture = ".*";
  std::swap(whole.pieces, whole.chunk);
  const auto torch = session.reference().run(whole);
  if (!torch) {
    return false;
  }
  std::map<std::string, std::string> feed;
  for (const auto& prefix : evaluations(request)) {
    const auto key = prefix + "mask:" + path;
    if (torch->has(key)) {
      feed[key] = key;
    }
  }
  const auto is_cured = [&](const Outcome<Run>& run) {
    return run || run.error().module != path;
  };
  if (!feed.empty() &&
      is_cured(session.candidate().run_fed(request, *torch, std::move(feed)))) {
    return true;
  }
  // torch gives masks to modules that need none of that kind.
  request.unmasked = {path};
  if (is_cured(session.candidate().run(request))) {
    return true;
  }
  if (!layer) {
    return false;
  }
  if (request.prefill == 0) {
    request.prefill = static_cast<int>(request.ids.front().size()) - 1;
  }
  request.unmasked.clear();
  request.masked = {path, *layer};
  return is_cured(session.candidate().run(request));
}

/// The module at `path` does not raise where there are no caches.
bool raises_by_cache(
    Session& session,
    RunRequest request,
    const std::string& path) {
  if (request.prefill == 0) {
    return false;
  }
  request.prefill = 0;
  request.chunk = 0;
  const auto run = session.candidate().run(request);
  return run || run.error().module != path;
}

}  // namespace

Place place_of_exception(Session& session, const Trouble& trouble) {
  Place out = place_of_traceback(session, trouble.detail);
  if (trouble.module.empty() && !trouble.in_cache) {
    return out;
  }
  out.made_line.reset();
  const Place module = in_layer(session, trouble.module);
  out.layer = module.layer;
  out.module = module.module;
  const auto request = session.candidate().raising_run();
  if (trouble.in_cache) {
    out.tensor = "cache";
    out.made_line = line_with(out.port_file, "def make_cache(", 1);
  } else if (
      request && raises_by_mask(session, *request, trouble.module, out.layer)) {
    const auto layer = static_cast<size_t>(out.layer.value_or(-1));
    const auto& caches = session.caches();
    Place mask;
    name_mask(session, mask, layer < caches.size() ? caches[layer] : "");
    out.tensor = mask.tensor;
    out.made_line = mask.port_line;
    out.given_line = raises_by_cache(session, *request, trouble.module)
                         ? line_with(out.port_file, "def make_cache(", 1)
                         : mask.given_line;
  }
  return out;
}

}  // namespace portwright::verify

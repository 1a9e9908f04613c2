#include "verify/given.h"

#include "verify/made_of.h"
#include "verify/place.h"

namespace portwright::verify {
namespace {

/// Whether the module is right in a run that the world could make.
bool is_right(
    Session& session,
    const Outcome<Run>& run,
    const Scene& scene,
    const std::string& path,
    const std::string& reference_path) {
  const auto difference = run ? compare(
                                    *run,
                                    scene.prefix + "out:" + path,
                                    *scene.reference,
                                    scene.prefix + "out:" + reference_path)
                              : std::nullopt;
  return difference && difference->relative <= scene.limit(session);
}

std::map<std::string, std::string> feed_of(
    const Scene& scene,
    const std::string& path,
    const std::string& reference_path) {
  std::map<std::string, std::string> out;
  for (const auto& prefix : scene.prefixes()) {
    out[prefix + "in:" + path] = prefix + "in:" + reference_path;
  }
  return out;
}

bool mask_is_wrong(
    Session& session,
    const Scene& scene,
    const std::string& path,
    const std::string& reference_path) {
  const auto theirs = scene.prefix + "mask:" + reference_path;
  if (!scene.reference->has(theirs)) {
    return false;
  }
  auto feed = feed_of(scene, path, reference_path);
  feed[scene.prefix + "mask:" + path] = theirs;
  const auto run = session.candidate().run_fed(
      scene.request, *scene.reference, std::move(feed));
  return is_right(session, run, scene, path, reference_path);
}

bool cache_is_wrong(
    Session& session,
    const Scene& scene,
    const std::string& path,
    const std::string& reference_path,
    int layer) {
  if (scene.request.prefill == 0 ||
      static_cast<size_t>(layer) >= session.caches().size() ||
      session.caches()[static_cast<size_t>(layer)].find("KVCache") ==
          std::string::npos) {
    return false;
  }
  for (const int size : {0, session.plan().window}) {
    RunRequest request = scene.request;
    request.cache_sizes = {{std::to_string(layer), size}};
    const auto run = session.candidate().run_fed(
        request, *scene.reference, feed_of(scene, path, reference_path));
    if (is_right(session, run, scene, path, reference_path)) {
      return true;
    }
  }
  return false;
}

/// The first line at or after `from` that calls what makes a mask, best of the
/// kind that `cache` asks for, else the first that speaks of one.
std::optional<int>
line_of_mask(const std::string& file, int from, const std::string& cache) {
  const bool keys = cache.find("KVCache") != std::string::npos;
  for (const char* text :
       {cache.empty() ? "_mask("
        : keys        ? "attention_mask("
                      : "ssm_mask(",
        "_mask(",
        "mask"}) {
    if (const auto line = line_with(file, text, from)) {
      return line;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> find_overwriter(
    const Run& run,
    const std::vector<std::string>& prefixes) {
  std::optional<std::string> out;
  for (const auto& prefix : prefixes) {
    for (const auto& path : run.order) {
      const auto kept = run.find(prefix + "kept:" + path);
      if (kept && kept->values.front() == 0 &&
          (!out || path.starts_with(*out + "."))) {
        out = path;
      }
    }
    if (out) {
      break;
    }
  }
  return out;
}

void name_overwriter(Session& session, Place& place, const std::string& path) {
  place = place_at(session, path);
  place.tensor = "mask that it overwrites";
}

void name_mask(Session& session, Place& place, const std::string& cache) {
  place.tensor = "mask";
  if (session.candidate_layers().empty()) {
    return;
  }
  const auto list = parent_path(session.candidate_layers().front());
  const Place model = place_at(session, parent_path(list));
  place.port_file = model.port_file;
  place.made_line.reset();
  place.given_line.reset();
  if (model.port_line) {
    const auto line = line_of_mask(model.port_file, *model.port_line, cache);
    place.port_line = line ? line : model.port_line;
    place.given_line = line_of_deciding_field(session, *place.port_line);
  }
  if (model.source_line) {
    const auto line = line_of_mask(model.source_file, *model.source_line, "");
    place.source_file = model.source_file;
    place.source_line = line ? line : model.source_line;
    place.is_source_exact =
        line && cache.find("ArraysCache") == std::string::npos;
  }
}

void blame_what_was_given(
    Session& session,
    const Scene& scene,
    const std::string& path,
    const std::string& reference_path,
    Place& place) {
  // A cache of another length asks for another mask: the cache comes first.
  if (place.layer &&
      cache_is_wrong(session, scene, path, reference_path, *place.layer)) {
    place.tensor = "cache";
    if (const auto line =
            line_with(session.port_file(), "def make_cache(", 1)) {
      place.port_line = line;
      place.made_line.reset();
      place.given_line.reset();
    }
  } else if (mask_is_wrong(session, scene, path, reference_path)) {
    if (const auto other =
            find_overwriter(*scene.candidate, scene.prefixes())) {
      name_overwriter(session, place, *other);
      return;
    }
    const auto layer = static_cast<size_t>(place.layer.value_or(-1));
    const auto& caches = session.caches();
    name_mask(session, place, layer < caches.size() ? caches[layer] : "");
  }
}

}  // namespace portwright::verify

#include "verify/locate.h"

#include <cmath>
#include <functional>
#include <limits>

#include "verify/given.h"
#include "verify/place.h"

namespace portwright::verify {
namespace {

constexpr double kNotComparable = std::numeric_limits<double>::infinity();

/// Of what is allowed, which is 32 times the noise.
constexpr double kTwiceNoise = 2.0 / 32;

/// A module of the port and the one of the reference that it stands for.
struct Pair {
  std::string candidate;
  std::string reference;
};

std::string drop_call_number(const std::string& key) {
  return key.substr(0, key.find('#'));
}

/// The modules called below `parent`, only those not below another called one,
/// in the order of their calls, as paths relative to the parent.
std::vector<std::string> called_children(
    const Run& run,
    const std::string& parent) {
  const std::string prefix = parent.empty() ? "" : parent + ".";
  std::vector<std::string> called;
  for (const auto& key : run.order) {
    const auto path = drop_call_number(key);
    if (path.size() > prefix.size() && path.starts_with(prefix)) {
      const auto relative = path.substr(prefix.size());
      if (std::find(called.begin(), called.end(), relative) == called.end()) {
        called.push_back(relative);
      }
    }
  }
  std::vector<std::string> out;
  for (const auto& path : called) {
    const bool below = std::any_of(
        called.begin(), called.end(), [&](const std::string& other) {
          return path.size() > other.size() && path.starts_with(other + ".");
        });
    if (!below) {
      out.push_back(path);
    }
  }
  return out;
}

bool is_measured(
    const Run& run,
    const std::string& prefix,
    const Pair& pair,
    const std::string& path,
    bool candidate) {
  const auto& parent = candidate ? pair.candidate : pair.reference;
  return run.has(
      prefix + "out:" + (parent.empty() ? path : parent + "." + path));
}

/// Children with one name are one thing; where one is left over on either
/// side, these two are.
std::vector<Pair> pair_children(const Scene& scene, const Pair& parent) {
  const auto join = [](const std::string& a, const std::string& b) {
    return a.empty() ? b : a + "." + b;
  };
  auto left = called_children(*scene.candidate, parent.candidate);
  auto right = called_children(*scene.reference, parent.reference);
  std::erase_if(left, [&](const auto& path) {
    return !is_measured(*scene.candidate, scene.prefix, parent, path, true);
  });
  std::erase_if(right, [&](const auto& path) {
    return !is_measured(*scene.reference, scene.prefix, parent, path, false);
  });
  std::vector<Pair> out;
  std::vector<std::string> alone;
  for (const auto& path : left) {
    const auto it = std::find(right.begin(), right.end(), path);
    if (it == right.end()) {
      alone.push_back(path);
      continue;
    }
    out.push_back({join(parent.candidate, path), join(parent.reference, path)});
    right.erase(it);
  }
  if (alone.size() == 1 && right.size() == 1) {
    out.push_back(
        {join(parent.candidate, alone[0]), join(parent.reference, right[0])});
  }
  return out;
}

Outcome<Run>
run_fed(Session& session, const Scene& scene, const std::vector<Pair>& pairs) {
  std::map<std::string, std::string> feed;
  for (const auto& prefix : scene.prefixes()) {
    for (const auto& pair : pairs) {
      feed[prefix + "in:" + pair.candidate] = prefix + "in:" + pair.reference;
    }
  }
  return session.candidate().run_fed(
      scene.request, *scene.reference, std::move(feed));
}

struct Found {
  Pair module;
  int64_t position = -1;
  /// A function of the reference's module stands for it: which of its calls is
  /// wrong, from 1.
  int call = 0;
};

/// The module answers which experts to use, and torch's are told: the order in
/// which it does may be another, and `wrong_router` judges it.
bool is_judged_by_its_choice(
    const Run& run,
    const Scene& scene,
    const Pair& pair) {
  const auto holder = parent_path(pair.reference) + ".";
  return run.has(scene.prefix + "chosen:" + pair.candidate) &&
         std::any_of(
             scene.reference->order.begin(),
             scene.reference->order.end(),
             [&](const std::string& path) {
               return path.starts_with(holder) &&
                      scene.reference->has(scene.prefix + "routes:" + path);
             });
}

/// How far modules are from torch's that are given what torch's are.
struct ModuleError {
  Found found;
  double relative = 0;
};

Outcome<std::vector<ModuleError>> module_errors(
    Session& session,
    const Scene& scene,
    const std::vector<Pair>& pairs) {
  const auto run = run_fed(session, scene, pairs);
  if (!run) {
    return tl::unexpected(run.error());
  }
  std::vector<ModuleError> out;
  for (const auto& pair : pairs) {
    const auto difference = compare(
        *run,
        scene.prefix + "out:" + pair.candidate,
        *scene.reference,
        scene.prefix + "out:" + pair.reference);
    if (difference && !is_judged_by_its_choice(*run, scene, pair)) {
      out.push_back({{pair, difference->position}, difference->relative});
    }
  }
  return out;
}

/// The first that is wrong by itself.
std::optional<Found> first_failing(
    const std::vector<ModuleError>& errors,
    double limit) {
  for (const auto& error : errors) {
    if (!(error.relative <= limit)) {
      return error.found;
    }
  }
  return std::nullopt;
}

/// What follows may make much of an error that is small by itself: the module
/// that errs by more than twice the noise, of which 32 times is allowed, and by
/// far more than all beside it.
std::optional<Found> far_from_others(
    const std::vector<ModuleError>& errors,
    double limit) {
  constexpr double kFar = 8;
  for (const auto& error : errors) {
    const bool far =
        std::all_of(errors.begin(), errors.end(), [&](const auto& other) {
          return &other == &error || error.relative > kFar * other.relative;
        });
    if (far && error.relative > limit * kTwiceNoise) {
      return error.found;
    }
  }
  return std::nullopt;
}

/// The experts of each token with their weights, in the order of the experts.
std::vector<std::pair<float, float>> choices(
    const Array& experts,
    const Array& weights) {
  std::vector<std::pair<float, float>> out;
  const auto k = static_cast<size_t>(experts.shape.back());
  for (size_t i = 0; i < experts.values.size(); ++i) {
    out.emplace_back(experts.values[i], weights.values[i]);
    if ((i + 1) % k == 0) {
      std::sort(out.end() - static_cast<std::ptrdiff_t>(k), out.end());
    }
  }
  return out;
}

bool same_choices(
    const Array& a,
    const Array& a_weights,
    const Run& reference,
    const std::string& routes,
    const std::string& weights) {
  const auto b = reference.find(routes);
  const auto b_weights = reference.find(weights);
  if (!b || !b_weights || a.values.size() != b->values.size() ||
      a.shape.back() != b->shape.back() || a.shape.back() == 0) {
    return true;  // nothing to hold it against
  }
  const auto left = choices(a, a_weights);
  const auto right = choices(*b, *b_weights);
  return std::equal(
      left.begin(),
      left.end(),
      right.begin(),
      [](const auto& x, const auto& y) {
        return x.first == y.first && std::abs(x.second - y.second) <= 1e-4;
      });
}

/// The module below a wrong one that answers which experts to use, if torch's
/// experts are told otherwise. Routers answer other things on each side. The
/// modules right below are given what torch's are.
Outcome<std::optional<Found>> wrong_router(
    Session& session,
    const Scene& scene,
    const Found& found,
    std::vector<Pair> given) {
  given.push_back(found.module);
  const auto run = run_fed(session, scene, given);
  if (!run) {
    return tl::unexpected(run.error());
  }
  const auto below = [](const std::string& path, const std::string& parent) {
    return path.starts_with(parent + ".");
  };
  for (const auto& ours : run->order) {
    const auto experts = run->find(scene.prefix + "chosen:" + ours);
    const auto weights = run->find(scene.prefix + "weighed:" + ours);
    if (!experts || !weights || !below(ours, found.module.candidate)) {
      continue;
    }
    for (const auto& theirs : scene.reference->order) {
      if (below(theirs, found.module.reference) &&
          !same_choices(
              *experts,
              *weights,
              *scene.reference,
              scene.prefix + "routes:" + theirs,
              scene.prefix + "weights:" + theirs)) {
        return Found{{ours, found.module.reference}, found.position};
      }
    }
  }
  return std::nullopt;
}

/// Whether the source gave one of its functions what the module is given; and
/// then, whether the function answers what the module does. The function may be
/// given the first features alone, those of a head that are rotated.
std::optional<bool> agrees_with_function(
    Session& session,
    const Scene& scene,
    const Run& ours,
    const std::string& module,
    const Run& torch) {
  const auto near = [&](const std::string& a, const std::string& b) {
    const auto mine = ours.find(scene.prefix + a);
    const auto theirs = torch.find(scene.prefix + b);
    if (!mine || !theirs || mine->shape.empty() || theirs->shape.empty()) {
      return false;
    }
    const auto difference =
        compare(first_features(*mine, theirs->shape.back()), *theirs);
    return difference && difference->relative <= scene.limit(session);
  };
  const auto any = [&](const std::string& a, const std::string& key) {
    for (int i = 0; torch.has(fmt::format("{}{}/{}", scene.prefix, key, i));
         ++i) {
      if (near(a, fmt::format("{}/{}", key, i))) {
        return true;
      }
    }
    return false;
  };
  std::optional<bool> out;
  for (int n = 0; torch.has(fmt::format("{}made:{}/0", scene.prefix, n)); ++n) {
    if (any("in:" + module, fmt::format("given:{}", n))) {
      out = out.value_or(false) ||
            any("out:" + module, fmt::format("made:{}", n));
    }
  }
  return out;
}

/// A module that the port alone has, where the source calls a function: given
/// the same, it answers otherwise.
Outcome<std::optional<Found>> wrong_own_module(
    Session& session,
    const Scene& scene,
    const Found& found,
    const std::vector<Pair>& known) {
  const auto& parent = found.module.candidate;
  std::vector<std::string> own;
  for (const auto& child : called_children(*scene.candidate, parent)) {
    const auto path = parent.empty() ? child : parent + "." + child;
    const auto& modules = session.candidate().modules();
    const auto it = modules.find(path);
    if (it != modules.end() &&
        std::none_of(known.begin(), known.end(), [&](const Pair& pair) {
          return pair.candidate == path;
        })) {
      own.push_back(path);
    }
  }
  if (own.empty()) {
    return std::nullopt;
  }
  RunRequest request = scene.request;
  std::swap(request.pieces, request.chunk);
  request.functions = found.module.reference;
  const auto torch = session.reference().run(request);
  const auto ours = run_fed(session, scene, {found.module});
  if (!torch || !ours) {
    return tl::unexpected((torch ? ours : torch).error());
  }
  for (const auto& key : ours->order) {
    const auto path = drop_call_number(key);
    const bool mine = std::find(own.begin(), own.end(), path) != own.end();
    if (mine && agrees_with_function(session, scene, *ours, key, *torch) ==
                    std::optional(false)) {
      const auto mark = key.find('#');
      const int call = mark == key.npos ? 1 : std::atoi(key.c_str() + mark + 1);
      return Found{{path, found.module.reference}, found.position, call};
    }
  }
  return std::nullopt;
}

/// Descends while a child alone is wrong.
Outcome<Found> deepest(Session& session, const Scene& scene, Found found) {
  while (true) {
    const auto children = pair_children(scene, found.module);
    if (children.empty() &&
        called_children(*scene.candidate, found.module.candidate).empty()) {
      return found;
    }
    const auto errors = module_errors(session, scene, children);
    if (!errors) {
      return tl::unexpected(errors.error());
    }
    if (const auto next = first_failing(*errors, scene.limit(session))) {
      found = *next;
      continue;
    }
    auto other = wrong_router(session, scene, found, children);
    if (other && !*other) {
      other = wrong_own_module(session, scene, found, children);
    }
    if (!other) {
      return tl::unexpected(other.error());
    }
    if (*other) {
      return **other;
    }
    const auto next = far_from_others(*errors, scene.limit(session));
    if (!next) {
      return found;
    }
    found = *next;
  }
}

Place place_of(Session& session, const Found& found) {
  const auto& [path, reference_path] = found.module;
  Place out = found.call
                  ? place_of_call(session, path, reference_path, found.call)
                  : place_at(session, path, reference_path);
  if (found.position >= 0) {
    out.position = found.position;
  }
  out.tensor = "output";
  return out;
}

/// How far a layer is from torch's in one evaluation, given what torch's is.
struct LayerError {
  size_t evaluation = 0;
  Found found;
  double relative = 0;
  /// Of what that layer's noise allows.
  double share = 0;
};

using LayerErrors = std::vector<LayerError>;

std::optional<LayerError> plainly_wrong(const LayerErrors& errors) {
  for (const auto& error : errors) {
    if (!(error.relative <= kNeverAbove)) {
      return error;
    }
  }
  return std::nullopt;
}

/// Small errors of every layer may add up to one that fails.
std::optional<LayerError> above_noise(const LayerErrors& errors) {
  for (const auto& error : errors) {
    if (!(error.share <= 1)) {
      return error;
    }
  }
  return std::nullopt;
}

/// The one that errs most, by twice its noise, of which 32 times is allowed.
std::optional<LayerError> standing_out(const LayerErrors& errors) {
  std::optional<LayerError> out;
  for (const auto& error : errors) {
    if (error.share > (out ? out->share : kTwiceNoise)) {
      out = error;
    }
  }
  return out;
}

std::vector<Pair> layer_pairs(Session& session) {
  std::vector<Pair> out;
  for (size_t i = 0; i < session.candidate_layers().size(); ++i) {
    out.push_back(
        {session.candidate_layers()[i], session.reference_layers()[i]});
  }
  return out;
}

/// A module of both sides that torch calls and the port has but does not call.
std::optional<std::string> never_called(Session& session, const Scene& scene) {
  const auto& called = scene.candidate->order;
  for (const auto& key : scene.reference->order) {
    if (session.candidate().modules().contains(key) &&
        std::find(called.begin(), called.end(), key) == called.end()) {
      return key;
    }
  }
  return std::nullopt;
}

/// What feeds the layers is wrong: the first module that is called.
Place place_before(Session& session, const Scene& scene, const Pair& first) {
  std::string module = "embedding";
  for (const auto& key : scene.candidate->order) {
    const auto path = drop_call_number(key);
    if (!first.candidate.starts_with(path)) {  // a model that holds the layers
      module = path;
      break;
    }
  }
  Place out = place_at(session, module);
  out.tensor = "input of the first layer";
  return out;
}

/// The calls of a scene behind the last one inside the layers.
std::vector<std::string> called_after_layers(
    const Scene& scene,
    const std::function<bool(const std::string&)>& is_outside) {
  const auto& order = scene.candidate->order;
  size_t begin = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    begin = is_outside(drop_call_number(order[i])) ? begin : i + 1;
  }
  return {order.begin() + static_cast<std::ptrdiff_t>(begin), order.end()};
}

/// The last layer's output, as the port's chain of layers makes it, is right.
bool layers_agree(const Scene& scene, const std::vector<Pair>& pairs) {
  if (pairs.empty()) {
    return false;
  }
  const auto last = compare(
      *scene.candidate,
      scene.prefix + "out:" + pairs.back().candidate,
      *scene.reference,
      scene.prefix + "out:" + pairs.back().reference);
  return last && last->relative <= kNeverAbove;
}

/// What feeds the layers, or what follows, where that is wrong.
Outcome<std::optional<Place>> find_outside(
    Session& session,
    const Scene& scene) {
  const auto pairs = layer_pairs(session);
  if (!pairs.empty()) {
    const auto entry = compare(
        *scene.candidate,
        scene.prefix + "in:" + pairs.front().candidate,
        *scene.reference,
        scene.prefix + "in:" + pairs.front().reference);
    if (entry && !(entry->relative <= scene.limit(session))) {
      return place_before(session, scene, pairs.front());
    }
  }
  const auto is_outside = [&](const std::string& path) {
    return std::none_of(pairs.begin(), pairs.end(), [&](const Pair& layer) {
      return path == layer.candidate ||
             path.starts_with(layer.candidate + ".") ||
             layer.candidate.starts_with(path + ".");
    });
  };
  if (const auto path = never_called(session, scene);
      path && is_outside(*path)) {
    // Whoever should call it is wrong.
    Place out = place_at(session, parent_path(*path));
    out.module = *path;
    out.tensor = "never called";
    return out;
  }
  std::vector<Pair> outside;
  for (const auto& key : called_after_layers(scene, is_outside)) {
    const auto path = drop_call_number(key);
    if (scene.reference->has(scene.prefix + "out:" + path)) {
      outside.push_back({path, path});
    }
  }
  const auto errors = module_errors(session, scene, outside);
  if (!errors) {
    return tl::unexpected(errors.error());
  }
  if (const auto found = first_failing(*errors, scene.limit(session))) {
    return place_of(session, *found);
  }
  // All modules are right: is one given something wrong?
  for (const auto& [path, theirs] : outside) {
    const auto given = compare(
        *scene.candidate,
        scene.prefix + "in:" + path,
        *scene.reference,
        scene.prefix + "in:" + theirs);
    if (layers_agree(scene, pairs) && given &&
        !(given->relative <= kNeverAbove)) {
      return place_of_input(session, path);
    }
  }
  return std::nullopt;
}

/// Inside a layer that is wrong: the deepest module, or what it was given.
Outcome<Place>
locate_inside(Session& session, const Scene& scene, const Found& layer) {
  const auto found = deepest(session, scene, layer);
  if (!found) {
    return tl::unexpected(found.error());
  }
  Place out = place_of(session, *found);
  const auto& [path, reference_path] = found->module;
  blame_what_was_given(session, scene, path, reference_path, out);
  return out;
}

}  // namespace

std::vector<std::string> evaluations(const RunRequest& request) {
  std::vector<std::string> out;
  if (request.prefill == 0) {
    return {""};
  }
  if (request.chunk == 0) {
    out.push_back("step0/");
  }
  for (int at = 0; request.chunk && at < request.prefill; at += request.chunk) {
    out.push_back(fmt::format("chunk{}/", at / request.chunk));
  }
  const int tokens = static_cast<int>(request.ids.front().size());
  for (int step = 1; step <= tokens - request.prefill; ++step) {
    out.push_back(fmt::format("step{}/", step));
  }
  return out;
}

std::vector<std::string> Scene::prefixes() const {
  auto out = before;
  out.push_back(prefix);
  return out;
}

double Scene::limit(Session& session) const {
  return std::max(session.logits_threshold(), allowed);
}

Outcome<Scene> prefill_scene(Session& session) {
  const auto reference = session.reference_prefill();
  if (!reference) {
    return tl::unexpected(reference.error());
  }
  const auto candidate = session.candidate_prefill();
  if (!candidate) {
    return tl::unexpected(candidate.error());
  }
  Scene out;
  out.request.ids = {session.plan().ids};
  out.request.capture = ".*";
  out.reference = *reference;
  out.candidate = *candidate;
  return out;
}

Outcome<Scene> decode_scene(Session& session, int step) {
  const auto reference = session.reference_decode();
  if (!reference) {
    return tl::unexpected(reference.error());
  }
  const auto candidate = session.candidate_decode();
  if (!candidate) {
    return tl::unexpected(candidate.error());
  }
  Scene out;
  out.request.ids = {session.plan().ids};
  out.request.prefill = session.plan().prefill;
  out.request.capture = ".*";
  out.prefix = fmt::format("step{}/", step);
  for (int i = 0; i < step; ++i) {
    out.before.push_back(fmt::format("step{}/", i));
  }
  out.reference = *reference;
  out.candidate = *candidate;
  return out;
}

Outcome<LayerScan> scan_layers(Session& session, const Scene& scene) {
  const auto pairs = layer_pairs(session);
  const auto run = run_fed(session, scene, pairs);
  if (!run) {
    return tl::unexpected(run.error());
  }
  LayerScan out;
  for (const auto& pair : pairs) {
    const auto a = scene.prefix + "out:" + pair.candidate;
    const auto b = scene.prefix + "out:" + pair.reference;
    const auto fed = compare(*run, a, *scene.reference, b);
    const auto chained = compare(*scene.candidate, a, *scene.reference, b);
    out.fed.push_back(fed ? fed->relative : kNotComparable);
    out.position.push_back(fed ? fed->position : -1);
    out.chained.push_back(chained ? chained->relative : kNotComparable);
  }
  return out;
}

Outcome<Place> locate(Session& session, const Scene& scene) {
  const auto scan = scan_layers(session, scene);
  if (!scan) {
    return tl::unexpected(scan.error());
  }
  const auto pairs = layer_pairs(session);
  LayerErrors errors;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const double share = scan->fed[i] / session.layer_threshold(i);
    errors.push_back({0, {pairs[i], scan->position[i]}, scan->fed[i], share});
  }
  for (const auto& find : {plainly_wrong, above_noise}) {
    if (const auto error = find(errors)) {
      return locate_inside(session, scene, error->found);
    }
  }
  const auto found = find_outside(session, scene);
  if (!found) {
    return tl::unexpected(found.error());
  }
  if (*found) {
    return **found;
  }
  const auto most = standing_out(errors);
  return most ? place_of(session, most->found) : place_of_logits(session);
}

Outcome<Place>
locate_in_run(Session& session, RunRequest request, double allowed) {
  request.capture = ".*";
  RunRequest whole = request;  // torch's own way with pieces is not judged
  std::swap(whole.pieces, whole.chunk);
  const auto reference = session.reference().run(whole);
  if (!reference) {
    return tl::unexpected(reference.error());
  }
  const auto candidate = session.candidate().run(request);
  if (!candidate) {
    return tl::unexpected(candidate.error());
  }
  const auto all = evaluations(request);
  const auto scene_at = [&](size_t i) {
    Scene out;
    out.request = request;
    out.prefix = all[i];
    out.before.assign(all.begin(), all.begin() + static_cast<ptrdiff_t>(i));
    out.reference = &*reference;
    out.candidate = &*candidate;
    out.allowed = allowed;
    return out;
  };
  const auto pairs = layer_pairs(session);
  const auto fed = run_fed(session, scene_at(all.size() - 1), pairs);
  if (!fed) {
    return tl::unexpected(fed.error());
  }
  LayerErrors errors;
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t layer = 0; layer < pairs.size(); ++layer) {
      const auto difference = compare(
          *fed,
          all[i] + "out:" + pairs[layer].candidate,
          *reference,
          all[i] + "out:" + pairs[layer].reference);
      if (difference) {
        const double allowed_there =
            std::max(allowed, session.layer_threshold(layer));
        errors.push_back(
            {i,
             Found{pairs[layer], difference->position},
             difference->relative,
             difference->relative / allowed_there});
      }
    }
  }
  const auto inside = [&](const LayerError& error) {
    return locate_inside(session, scene_at(error.evaluation), error.found);
  };
  if (const auto error = plainly_wrong(errors)) {
    return inside(*error);
  }
  bool agreed = true;
  for (size_t i = 0; i < all.size(); ++i) {
    const auto found = find_outside(session, scene_at(i));
    if (!found) {
      return tl::unexpected(found.error());
    }
    if (*found) {
      return **found;
    }
    agreed &= layers_agree(scene_at(i), pairs);
  }
  if (const auto error = above_noise(errors)) {
    return inside(*error);
  }
  if (const auto most = standing_out(errors)) {
    return place_of(session, most->found);
  }
  return agreed ? place_of_logits(session) : Place{};
}

Outcome<void> name_place(
    Session& session,
    const RunRequest& request,
    CheckResult& result,
    double allowed) {
  auto place = locate_in_run(session, request, allowed);
  if (!place) {
    return tl::unexpected(place.error());
  }
  if (result.place.position) {
    place->position = result.place.position;
  }
  result.place = std::move(*place);
  return {};
}

}  // namespace portwright::verify

#include "verify/session.h"

#include <set>
#include <utility>

namespace portwright::verify {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr double kLeastNoise = 2e-7;  // a few units in the last place
constexpr double kNoiseFactor = 32;
constexpr int64_t kLargestForFloat64 = 300'000'000;  // parameters
constexpr size_t kMostGenerated = 32;                // tokens after a text
constexpr int kVariants = 8;  // of prompts, until none has a tie

/// A disk that filled up meanwhile says nothing about either side.
bool is_of_the_world(const Trouble& trouble) {
  return trouble.where == Trouble::Where::World ||
         trouble.kind == "scratch-full";
}

base::Result<json> read_config(const fs::path& checkpoint) {
  const auto path = checkpoint / "config.json";
  auto text = base::read_file(path);
  if (!text) {
    return tl::unexpected(text.error());
  }
  auto config = json::parse(*text, nullptr, false);
  if (!config.is_object()) {
    return base::fail(path.string() + ": not a JSON object");
  }
  return config;
}

}  // namespace

double threshold_for(double noise) {
  return std::min(kNeverAbove, kNoiseFactor * std::max(noise, kLeastNoise));
}

base::Result<std::unique_ptr<Session>> Session::open(
    std::shared_ptr<Workers> workers,
    const Subject& subject) {
  std::unique_ptr<Session> out(new Session());
  out->subject_ = subject;
  auto config = read_config(subject.checkpoint);
  if (!config) {
    return tl::unexpected(config.error());
  }
  out->config_ = std::move(*config);
  out->plan_ = make_plan(out->config_);
  auto scratch = base::TemporaryDirectory::create("portwright-verify");
  if (!scratch) {
    return tl::unexpected(scratch.error());
  }
  out->scratch_.emplace(std::move(*scratch));
  out->workers_ = std::move(workers);
  const auto timeout = out->workers_->timeout;
  out->reference_ = std::make_unique<WorkerParty>(
      out->workers_->reference, out->scratch_->path(), timeout);
  out->candidate_ = std::make_unique<CandidateParty>(
      out->workers_->candidate, out->scratch_->path(), timeout);
  out->reference_->record_to(out->exchanges_);
  out->candidate_->record_to(out->exchanges_);
  return out;
}

json Session::load_request() const {
  json out = {{"checkpoint", subject_.checkpoint.string()}};
  if (subject_.port) {
    out["port"] = subject_.port->string();
  }
  if (streamed()) {
    out["streamed"] = true;
  }
  return out;
}

json Session::reference_request() const {
  json out = {
      {"folder", subject_.checkpoint.string()},
      {"trust_remote_code", subject_.trust_remote_code}};
  if (streamed()) {
    out["scratch"] = subject_.scratch.string();
  }
  return out;
}

void Session::take_port(const Outcome<json>& loaded) {
  candidate_trouble_.reset();
  if (!loaded) {
    candidate_trouble_ = loaded.error();
    port_file_ = subject_.port ? subject_.port->string() : "";
    return;
  }
  candidate_layers_ = loaded->value("layers", candidate_layers_);
  caches_ = loaded->value("caches", caches_);
  const json file = loaded->value("file", json());
  port_file_ = file.is_string() ? file.get<std::string>() : "";
}

Outcome<void> Session::load() {
  const auto first = reference_->begin_load("model", reference_request());
  if (!first) {
    return tl::unexpected(first.error());
  }
  const auto second = candidate_->begin_load("model", load_request());
  if (!second) {
    return tl::unexpected(second.error());
  }
  const auto port = candidate_->finish_load(*second);
  const auto torch = reference_->finish_load(*first);
  for (const auto* side : {&port, &torch}) {
    if (!*side && is_of_the_world(side->error())) {
      return tl::unexpected(side->error());
    }
  }
  take_port(port);
  std::vector<int64_t> windows;
  if (port) {
    windows = port->value("windows", windows);
    plan_ = make_plan(config_, windows);
  }
  if (torch) {
    parameters_ = torch->value("parameters", int64_t{0});
    kept_ = torch->value("kept", json::object());
    reference_layers_ =
        find_layers(reference_->modules(), candidate_layers_.size());
  } else {
    reference_trouble_ = torch.error();
  }
  if (reference_layers_.size() != candidate_layers_.size()) {
    candidate_layers_.clear();
    reference_layers_.clear();
  }
  if (auto chosen = choose_prompts(windows); !chosen) {
    return chosen;
  }
  if (auto taken = take_texts(); !taken) {
    return taken;
  }
  return keep_dtypes();
}

Outcome<void> Session::take_texts() {
  if (reference_trouble_) {
    return {};
  }
  const auto found = reference_->request(
      "texts",
      {{"folder", subject_.checkpoint.string()},
       {"trust_remote_code", subject_.trust_remote_code}});
  if (!found) {
    return tl::unexpected(found.error());
  }
  for (const auto& text : found->at("texts")) {
    TextPrompt prompt{
        text.at("what"), text.at("kind"), text.at("text"), text.at("ids")};
    if (!plan_.takes(prompt.ids, kMostGenerated)) {
      continue;
    }
    texts_.push_back(std::move(prompt));
    if (streamed()) {
      return {};
    }
  }
  json prompts = json::array();
  for (const auto& text : texts_) {
    prompts.push_back(text.ids);
  }
  const auto ties = reference_->request(
      "ties", {{"model", reference_->selected()}, {"prompts", prompts}});
  if (!ties) {
    return {};  // as for the plan's prompts
  }
  size_t i = 0;
  std::erase_if(texts_, [&](const TextPrompt&) {
    return !ties->at("positions").at(i++).empty();
  });
  return {};
}

/// Prompts in which no token's experts hang on rounding, where there are some:
/// what differs then is no tie.
Outcome<void> Session::choose_prompts(const std::vector<int64_t>& windows) {
  if (streamed() || reference_trouble_) {
    return {};
  }
  Variants variants;
  for (int i = 0; i < kVariants; ++i) {
    plan_ = make_plan(config_, windows, variants);
    json prompts = {plan_.ids};
    for (size_t row = 0; row < plan_.batch.size(); ++row) {
      Ids whole = plan_.batch[row];
      whole.insert(
          whole.end(),
          plan_.batch_steps[row].begin(),
          plan_.batch_steps[row].end());
      prompts.push_back(whole);
    }
    if (parameters_ < kLargestForFloat64) {
      prompts.push_back(plan_.far);
    }
    const auto found = reference_->request(
        "ties", {{"model", reference_->selected()}, {"prompts", prompts}});
    if (!found) {
      return is_of_the_world(found.error())
                 ? Outcome<void>(tl::unexpected(found.error()))
                 : Outcome<void>();
    }
    const auto tied =
        found->at("positions").get<std::vector<std::vector<int>>>();
    plan_.tied = tied.front();
    const auto batch_end = tied.begin() + 1 + plan_.batch.size();
    const bool batch =
        std::any_of(tied.begin() + 1, batch_end, [](const auto& positions) {
          return !positions.empty();
        });
    const bool far = batch_end != tied.end() && !batch_end->empty();
    if (plan_.tied.empty() && !batch && !far) {
      break;
    }
    variants.ids += plan_.tied.empty() ? 0 : 1;
    variants.batch += batch;
    variants.far += far;
  }
  return {};
}

Outcome<bool> Session::end_far(const Trouble& raised) {
  if (is_of_the_world(raised) || streamed()) {
    return false;
  }
  const auto takes = [&](int64_t length) -> Outcome<bool> {
    RunRequest request;
    request.ids = {Ids(plan_.far.begin(), plan_.far.begin() + length)};
    const auto run = reference_->run(request);
    return run                            ? Outcome<bool>(true)
           : is_of_the_world(run.error()) ? tl::unexpected(run.error())
                                          : Outcome<bool>(false);
  };
  auto taken = static_cast<int64_t>(plan_.ids.size());
  auto refused = static_cast<int64_t>(plan_.far.size());
  if (refused <= taken) {
    return false;
  }
  for (const int64_t length : {refused, taken}) {
    const auto found = takes(length);
    if (!found || *found == (length == refused)) {
      return found ? Outcome<bool>(false) : tl::unexpected(found.error());
    }
  }
  while (refused - taken > 1) {
    const int64_t middle = (taken + refused) / 2;
    const auto found = takes(middle);
    if (!found) {
      return tl::unexpected(found.error());
    }
    (*found ? taken : refused) = middle;
  }
  plan_.end_far(taken);
  plan_.positions = plan_.positions ? std::min(plan_.positions, taken) : taken;
  plan_.end_of_far = fmt::format(
      "torch itself takes {} tokens at most: {}", taken, raised.message);
  return true;
}

Outcome<void> Session::keep_dtypes() {
  if (kept_.empty() || candidate_trouble_) {
    return {};
  }
  const auto done = candidate_->request(
      "keep", {{"model", candidate_->selected()}, {"dtypes", kept_}});
  return done ? Outcome<void>() : tl::unexpected(done.error());
}

Outcome<const Run*> Session::reference_in_bfloat16() {
  if (!reference_in_bfloat16_) {
    const nlohmann::json ids = {plan_.ids};
    auto run = reference().tensors(
        "low_precision",
        {{"folder", subject_.checkpoint.string()}, {"ids", ids}});
    if (!run) {
      return tl::unexpected(run.error());
    }
    reference_in_bfloat16_ = std::move(*run);
  }
  return &*reference_in_bfloat16_;
}

Outcome<void> Session::in_bfloat16(const std::function<Outcome<void>()>& use) {
  json request = load_request();
  request["dtype"] = "bfloat16";
  const auto number = candidate_->begin_load("bfloat16", request);
  if (!number) {
    return tl::unexpected(number.error());
  }
  if (const auto loaded = candidate_->finish_load(*number); !loaded) {
    return tl::unexpected(loaded.error());
  }
  candidate_->select("bfloat16");
  auto done = use();
  candidate_->select("model");
  (void)candidate_->request("unload", {{"model", "bfloat16"}});
  return done;
}

Outcome<void> Session::in_form(
    const json& config,
    const std::function<Outcome<void>()>& use) {
  (void)noise();  // of the config at hand
  const auto name = "form:" + config.dump();
  const auto made = candidate_->request("caches", {{"model", name}});
  if (!made) {
    return tl::unexpected(made.error());
  }
  const auto before = std::tuple(plan_, config_, caches_);
  const auto modules = candidate_->modules();
  reference_->select(name);
  candidate_->select(name);
  config_ = config;
  candidate_->take_modules(made->at("modules"));
  caches_ = made->at("caches").get<std::vector<std::string>>();
  const auto windows = made->at("windows").get<std::vector<int64_t>>();
  plan_ = make_plan(config, windows);
  auto done = choose_prompts(windows);
  if (done) {
    done = use();
  }
  reference_->select("model");
  candidate_->select("model");
  candidate_->take_modules(modules);
  std::tie(plan_, config_, caches_) = before;
  return done;
}

Outcome<void> Session::exchange_port(const fs::path& port) {
  subject_.port = port;
  runs_.erase("candidate-prefill");
  runs_.erase("candidate-decode");
  const bool matched = !reference_layers_.empty();
  const auto number = candidate_->begin_load("model", load_request());
  if (!number) {
    return tl::unexpected(number.error());
  }
  const auto loaded = candidate_->finish_load(*number);
  if (!loaded && loaded.error().where == Trouble::Where::World) {
    return tl::unexpected(loaded.error());
  }
  take_port(loaded);
  if (!matched) {
    candidate_layers_.clear();
  }
  return keep_dtypes();
}

std::map<std::string, std::string> Session::versions() {
  return versions_of(*workers_);
}

Outcome<const Run*>
Session::shared(const std::string& key, bool candidate, bool decode) {
  if (const auto it = runs_.find(key); it != runs_.end()) {
    exchanges_.push_back({{"shared", key}});
    return &it->second;
  }
  RunRequest request;
  request.ids = {plan_.ids};
  request.capture = ".*";
  request.prefill = decode ? plan_.prefill : 0;
  Party& party = candidate ? static_cast<Party&>(*candidate_) : *reference_;
  auto run = party.run(request);
  if (!exchanges_.empty()) {
    exchanges_.back()["name"] = key;
  }
  if (!run) {
    return tl::unexpected(run.error());
  }
  return &runs_.emplace(key, std::move(*run)).first->second;
}

std::vector<std::string> Session::layer_kinds() const {
  static const std::map<std::string, std::string> kWords = {
      {"KVCache", "attention"},
      {"RotatingKVCache", "sliding"},
      {"ChunkedKVCache", "chunks"},
      {"ArraysCache", "states"},
      {"CacheList", "several caches"}};
  std::set<std::string> out;
  for (const auto& cache : caches_) {
    const auto word = kWords.find(cache);
    out.insert(word == kWords.end() ? cache : word->second);
  }
  if (const Run* run = made("candidate-prefill")) {
    for (const auto& path : run->order) {
      if (run->has("routes:" + path)) {
        out.insert("experts");
      }
    }
  }
  return {out.begin(), out.end()};
}

json Session::take_exchanges() {
  return std::exchange(exchanges_, json::array());
}

const Run* Session::made(const std::string& name) const {
  const auto it = runs_.find(name);
  return it == runs_.end() ? nullptr : &it->second;
}

Outcome<const Run*> Session::reference_prefill() {
  return shared("reference-prefill", false, false);
}

Outcome<const Run*> Session::candidate_prefill() {
  return shared("candidate-prefill", true, false);
}

Outcome<const Run*> Session::reference_decode() {
  return shared("reference-decode", false, true);
}

Outcome<const Run*> Session::candidate_decode() {
  return shared("candidate-decode", true, true);
}

double Session::logits_threshold() {
  return threshold_for(noise().logits);
}

double Session::layer_threshold(size_t layer) {
  const auto& layers = noise().layers;
  return threshold_for(layer < layers.size() ? layers[layer] : noise().logits);
}

const Noise& Session::noise() {
  if (!noise_) {
    noise_.emplace();
    noise_->layers.assign(reference_layers_.size(), 0.0);
    measure_noise();
  }
  return *noise_;
}

void Session::noise_of(
    const Run& a,
    const Run& b,
    const std::vector<std::string>& layers) {
  const auto relative = [&](const std::string& key) {
    auto x = a.find(key);
    auto y = b.find(key);
    if (x && y && x->values.size() > y->values.size()) {
      x = row(*x, 1);
    }
    const auto difference =
        x && y ? compare(*x, *y) : std::optional<Difference>();
    return difference ? difference->relative : 0.0;
  };
  noise_->logits = std::max(noise_->logits, relative("logits"));
  for (size_t i = 0; i < layers.size() && i < noise_->layers.size(); ++i) {
    noise_->layers[i] =
        std::max(noise_->layers[i], relative("out:" + layers[i]));
  }
}

void Session::measure_noise() {
  RunRequest request;
  request.ids = {plan_.ids};
  request.capture = ".*";
  if (const auto exact = reference_prefill();
      exact && parameters_ < kLargestForFloat64) {
    json load = reference_request();
    load["dtype"] = "float64";
    const auto number = reference_->begin_load("float64", std::move(load));
    if (number && reference_->finish_load(*number)) {
      reference_->select("float64");
      const auto run = reference_->run(request);
      reference_->select("model");
      if (run) {
        noise_of(*run, **exact, reference_layers_);
      }
      (void)reference_->request("unload", {{"model", "float64"}});
    }
  }
  // Three equal rows: other kernels and other orders of summation.
  if (const auto once = candidate_prefill()) {
    request.ids = {plan_.ids, plan_.ids, plan_.ids};
    if (const auto run = candidate_->run(request)) {
      noise_of(*run, **once, candidate_layers_);
    }
  }
}

std::vector<std::string> find_layers(
    const ModuleSources& modules,
    size_t count) {
  std::map<std::string, size_t> below;  // parent of numbered children -> size
  for (const auto& [path, source] : modules) {
    size_t dot = 0;
    while ((dot = path.find('.', dot)) != std::string::npos) {
      const size_t end = std::min(path.find('.', dot + 1), path.size());
      const auto part = path.substr(dot + 1, end - dot - 1);
      if (!part.empty() &&
          part.find_first_not_of("0123456789") == std::string::npos) {
        ++below[path.substr(0, dot)];
      }
      ++dot;
    }
  }
  std::vector<std::string> best;
  size_t most = 0;
  for (const auto& [parent, size] : below) {
    const auto child = [&](size_t i) {
      return fmt::format("{}.{}", parent, i);
    };
    const bool whole = count > 0 && modules.contains(child(count - 1)) &&
                       !modules.contains(child(count));
    if (whole && size > most) {
      most = size;
      best.clear();
      for (size_t i = 0; i < count; ++i) {
        best.push_back(child(i));
      }
    }
  }
  return best;
}

}  // namespace portwright::verify

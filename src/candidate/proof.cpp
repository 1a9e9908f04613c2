#include "candidate/proof.h"

#include <chrono>
#include <cmath>
#include <functional>

#include "candidate/core_module.h"
#include "candidate/half.h"
#include "candidate/proving.h"
#include "library/config_json.h"
#include "library/guarded.h"
#include "torch/torch.h"

namespace portwright::candidate {

namespace mx = mlx::core;
using eval::Interpreter;
using eval::Value;
using library::Evaluated;

namespace {

std::string one_line(const diagnostics::Diagnostic& d) {
  std::string out = d.message.substr(0, d.message.find('\n'));
  return d.span ? out + " at " + base::to_string(d.span) : out;
}

/// max|a - b| / max|b|, not yet computed; NaN stays.
mx::array relative_error(const mx::array& a, const mx::array& b) {
  const mx::array size = mx::maximum(mx::max(mx::abs(b)), mx::array(1e-30f));
  return mx::max(mx::abs(mx::astype(a, mx::float32) - b)) / size;
}

mx::array columns(const mx::array& a, int from, int to) {
  mx::Shape start(a.ndim(), 0), stop(a.shape());
  start[1] = from;
  stop[1] = to;
  return mx::slice(a, start, stop);
}

/// One proof under way: both models, and what was found so far.
class Comparison {
 public:
  Comparison(Interpreter& interp, Value source, Value port, Proof& proof)
      : interp_(interp), source_(source), port_(port), proof_(proof) {}

  void run(Port::Depth depth);
  /// What ended run() came from the source, not from the port.
  bool source_failed = false;
  /// The first layer whose output differs, in words; "" where none is found.
  std::string place();

 private:
  mx::array gold(const mx::array& ids) {
    source_failed = true;
    mx::array out = value_or_throw(library::forward(interp_, source_, ids));
    source_failed = false;
    return out;
  }
  Value parts(const std::vector<mx::array>& ids);
  mx::array joined(const Value& logits);
  mx::array cached(const std::vector<mx::array>& ids);
  mx::array source_fed(
      const std::vector<mx::array>& ids,
      const std::optional<mx::array>& mask = std::nullopt);
  using Answer = std::function<mx::array()>;
  void judge(
      const std::string& name,
      const mx::array& got,
      const mx::array& wanted,
      std::vector<mx::array> given = {},
      Answer as_fed = nullptr);
  void settle();
  void decode(const std::string& name, int prefill, int chunk, int until);
  void batch();
  std::vector<int> windows();

  Interpreter& interp_;
  Value source_, port_;
  Proof& proof_;
  std::optional<mx::array> ids_, gold_;
  /// A check whose numbers are not yet computed, and what it ran on one row.
  struct Pending {
    std::string name;
    mx::array got, wanted;
    std::optional<mx::array> error;  // none: another shape
    std::vector<mx::array> given;
    Answer as_fed;  // the source's, given what the port was; may be null
  };
  std::optional<double> error_as_fed(const Pending& check);
  std::vector<Pending> pending_;
  /// What the first failing check ran, where it ran on one row.
  std::vector<mx::array> failing_;
};

Value Comparison::parts(const std::vector<mx::array>& ids) {
  std::vector<Value> out;
  for (const mx::array& part : ids) {
    out.push_back(array_value(interp_, mx::astype(part, mx::int32)));
  }
  return eval::list(std::move(out));
}

mx::array Comparison::joined(const Value& logits) {
  std::vector<mx::array> out;
  interp_.for_each(
      logits, [&](Value part) { out.push_back(array_of(interp_, part)); });
  return mx::concatenate(out, 1);
}

mx::array Comparison::cached(const std::vector<mx::array>& ids) {
  return joined(interp_.call(
      function(interp_, "portwright.proving", "run"), {port_, parts(ids)}));
}

/// The source's logits when its cache grows by these parts. A short forward
/// goes before, after which it knows of no longer one.
mx::array Comparison::source_fed(
    const std::vector<mx::array>& ids,
    const std::optional<mx::array>& mask) {
  value_or_throw(library::forward(interp_, source_, columns(*ids_, 0, 1)));
  auto session =
      value_or_throw(library::Session::start(interp_, source_, mask));
  std::vector<mx::array> out{value_or_throw(session.prefill(ids.front()))};
  for (size_t i = 1; i < ids.size(); ++i) {
    out.push_back(value_or_throw(session.step(ids[i])));
  }
  return mx::concatenate(out, 1);
}

void Comparison::judge(
    const std::string& name,
    const mx::array& got,
    const mx::array& wanted,
    std::vector<mx::array> given,
    Answer as_fed) {
  Pending check{
      name, got, wanted, std::nullopt, std::move(given), std::move(as_fed)};
  if (got.shape() == wanted.shape()) {
    check.error = relative_error(got, wanted);
    mx::async_eval(*check.error);
  }
  pending_.push_back(std::move(check));
}

/// How far the port is from a source that was fed as it was, where that source
/// answers otherwise than in one forward: frequencies chosen by the length so
/// far leave the keys in its cache as they are. None where it does not.
std::optional<double> Comparison::error_as_fed(const Pending& check) {
  if (!check.as_fed) {
    return {};
  }
  const auto fed = library::guarded(interp_, check.as_fed);
  if (!fed || fed->shape() != check.got.shape()) {
    return {};
  }
  const auto error = [](const mx::array& a, const mx::array& b) {
    return relative_error(a, b).item<float>();
  };
  if (!(error(*fed, check.wanted) >= kTolerance)) {
    return {};
  }
  return error(check.got, *fed);
}

/// Waits once, for all: each synchronisation costs more than a check.
void Comparison::settle() {
  std::vector<mx::array> errors;
  for (const Pending& p : pending_) {
    if (p.error) {
      errors.push_back(*p.error);
    }
  }
  mx::eval(errors);
  for (Pending& p : pending_) {
    double value = p.error ? p.error->item<float>() : INFINITY;
    if (!(value < kTolerance) && p.error) {
      const auto as_fed = error_as_fed(p);
      proof_.as_fed = proof_.as_fed || as_fed;
      value = as_fed.value_or(value);
    }
    ProofCheck check{
        p.name, std::isfinite(value) ? value : INFINITY, "", false};
    if (!p.error) {
      check.reason = "the logits have another shape";
    } else if (!(value < kTolerance)) {
      check.reason = fmt::format("differs by {:.2g}", value);
    }
    if (failing_.empty() && !check.reason.empty()) {
      failing_ = std::move(p.given);
    }
    proof_.worst = std::max(proof_.worst, check.value);
    proof_.checks.push_back(std::move(check));
  }
  pending_.clear();
}

/// The first `prefill` ids in chunks, the rest one by one.
void Comparison::decode(
    const std::string& name,
    int prefill,
    int chunk,
    int until) {
  std::vector<mx::array> ids;
  for (int at = 0; at < until;) {
    const int step = at < prefill ? std::min(chunk, prefill - at) : 1;
    ids.push_back(columns(*ids_, at, at + step));
    at += step;
  }
  judge(name, cached(ids), columns(*gold_, 0, until), ids, [this, ids] {
    return source_fed(ids);
  });
}

/// Two rows, the second with padding on its left, prefill and two steps. Both
/// begin with the same ids, so that the logits of one row alone are known.
void Comparison::batch() {
  constexpr int kRow = 11, kPadding = 3, kPrefill = 9;
  const mx::array whole = columns(*ids_, 0, kRow);
  const mx::array padded = mx::concatenate(
      {mx::zeros({1, kPadding}, mx::int64), columns(*ids_, 0, kRow - kPadding)},
      1);
  const mx::array ids = mx::concatenate({whole, padded}, 0);
  std::vector<mx::array> given{columns(ids, 0, kPrefill)};
  for (int at = kPrefill; at < kRow; ++at) {
    given.push_back(columns(ids, at, at + 1));
  }
  const Value logits = interp_.call(
      function(interp_, "portwright.proving", "run_padded"),
      {port_,
       parts(given),
       eval::list({Value::integer(0), Value::integer(kPadding)})});
  if (logits.is_none()) {
    proof_.checks.push_back(
        {"batch", 0, "mlx_lm has no batched form of these caches", true});
    return;
  }
  const mx::array got = joined(logits);
  const auto row = [](const mx::array& rows, int i, int from) {
    return columns(mx::take(rows, mx::array({i}), 0), from, kRow);
  };
  // Fed so the source answers for both rows at once.
  const auto both = std::make_shared<std::optional<mx::array>>();
  const auto as_fed = [=, this](int i, int from) {
    return [=, this] {
      if (!*both) {
        const mx::array column = mx::arange(kPrefill);
        const mx::array first = mx::array({0, kPadding}, {2, 1});
        const mx::array mask = mx::greater_equal(column, first);
        *both = source_fed(given, mx::astype(mask, mx::int64));
      }
      return row(**both, i, from);
    };
  };
  judge("batch", row(got, 0, 0), columns(*gold_, 0, kRow), {}, as_fed(0, 0));
  judge(
      "batch, padded row",
      row(got, 1, kPadding),
      columns(*gold_, 0, kRow - kPadding),
      {},
      as_fed(1, kPadding));
}

std::vector<int> Comparison::windows() {
  std::vector<int> out;
  interp_.for_each(
      interp_.call(function(interp_, "portwright.proving", "windows"), {port_}),
      [&](Value v) { out.push_back(static_cast<int>(v.as_int())); });
  return out;
}

void Comparison::run(Port::Depth depth) {
  constexpr int kLength = 14, kSteps = 3, kLongestWindow = 48;
  const int64_t vocabulary = vocabulary_of(interp_, source_);
  int length = kLength, window = 0;
  for (int w : windows()) {
    if (w <= kLongestWindow) {
      window = w;
      length = std::max(length, 2 * w + 5);
    }
  }
  ids_ = ids_for(vocabulary, 1, length);
  gold_ = gold(*ids_);
  if (depth == Port::Depth::Glance) {
    decode("prefill and a step", length - 1, length - 1, length);
    settle();
    return;
  }
  const bool full = depth == Port::Depth::Full;
  if (full) {
    decode("prefill", length, length, length);
    const Value plain = interp_.call(
        port_, {array_value(interp_, mx::astype(*ids_, mx::int32))});
    judge("no cache", array_of(interp_, plain), *gold_);
  }
  decode("chunks, then single steps", kLength - kSteps, 5, kLength);
  if (window > 0) {
    if (full) {
      decode("past the window, one by one", 3, 3, std::min(length, window + 6));
    }
    decode("past the window, in chunks", length - 2, window - 1, length);
  }
  if (full || depth == Port::Depth::Rows) {
    batch();
  }
  settle();
}

std::string Comparison::place() {
  const char* ours = "portwright.proving";
  const Value path =
      interp_.call(function(interp_, ours, "layers_path"), {port_});
  if (failing_.empty() || !path.is_str()) {
    return "";
  }
  const Value wanted = interp_.call(
      function(interp_, "portwright.source_weights", "record_layers"),
      {source_, path});
  const Value got =
      interp_.call(function(interp_, ours, "record_layers"), {port_});
  gold(mx::concatenate(failing_, 1));
  cached(failing_);
  const auto a = interp_.to_vector(got), b = interp_.to_vector(wanted);
  if (a.size() != b.size() * failing_.size()) {
    return "";
  }
  for (size_t layer = 0; layer < b.size(); ++layer) {
    std::vector<mx::array> parts;
    for (size_t at = layer; at < a.size(); at += b.size()) {
      parts.push_back(array_of(interp_, a[at]));
    }
    const auto* tensor = torch::as_tensor(b[layer]);
    const mx::array got_here = mx::concatenate(parts, 1);
    const bool alike =
        tensor && torch::array_of(*tensor).shape() == got_here.shape();
    const double error =
        alike ? relative_error(got_here, torch::array_of(*tensor)).item<float>()
              : INFINITY;
    if (!(error < kTolerance)) {
      return fmt::format(
          "{}.{} is the first that differs ({:.2g})", path.str(), layer, error);
    }
  }
  return "it differs after the last layer";
}

/// Nothing is recorded, and no provenance kept, while it lives.
class Quiet {
 public:
  explicit Quiet(Interpreter& interp)
      : interp_(interp),
        provenance_(interp.track_provenance),
        observer_(interp.observer),
        ops_(torch::op_observer(interp)) {
    interp.track_provenance = false;
    interp.observer = nullptr;
    torch::set_op_observer(interp, nullptr);
  }
  ~Quiet() {
    interp_.track_provenance = provenance_;
    interp_.observer = observer_;
    torch::set_op_observer(interp_, ops_);
  }

 private:
  Interpreter& interp_;
  bool provenance_;
  eval::Observer* observer_;
  torch::OpObserver* ops_;
};

/// MLX computes while the models are evaluated, as long as it lives.
class Overlapped {
 public:
  explicit Overlapped(Interpreter& interp) : interp_(interp) {
    set(true);
  }
  ~Overlapped() {
    set(false);
  }

 private:
  void set(bool early) {
    torch::submission(interp_).early = early;
    submission(interp_).early = early;
  }

  Interpreter& interp_;
};

/// What Python code raises is its own fault, as is what does not parse; the
/// rest is beyond our evaluator.
Verdict verdict_of(const diagnostics::Diagnostic& fault) {
  using diagnostics::Kind;
  return fault.kind == Kind::PythonError || fault.kind == Kind::SyntaxError
             ? Verdict::Failed
             : Verdict::Unproven;
}

Proof ended(Proof proof, Verdict verdict, diagnostics::Diagnostic fault) {
  proof.verdict = verdict;
  proof.reason += one_line(fault);
  proof.fault = std::move(fault);
  return proof;
}

/// A fault inside the libraries is put down to the line of the port that led
/// there.
void name_port_line(Proof& proof, const std::string& file) {
  const auto of_port = [&](const base::Span& span) {
    return span && span.file->path() == file;
  };
  const auto& from = proof.fault->called_from;
  const auto line = std::find_if(from.begin(), from.end(), of_port);
  if (!of_port(proof.fault->span) && line != from.end()) {
    proof.reason += ", called at " + base::to_string(*line);
  }
}

void conclude(Proof& proof, Comparison& comparison, Interpreter& interp) {
  for (const ProofCheck& check : proof.checks) {
    if (!check.skipped && !check.reason.empty()) {
      proof.verdict = Verdict::Failed;
      proof.reason = check.name + ": " + check.reason;
      const auto place =
          library::guarded(interp, [&] { return comparison.place(); });
      if (place && !place->empty()) {
        proof.reason += "; " + *place;
      }
      return;
    }
  }
  proof.verdict = Verdict::Passed;
}

library::Evaluated<Value>
make_args(Interpreter& interp, const Value& module, const Value& fields) {
  return library::guarded(interp, [&] {
    return interp.call_method(
        interp.getattr(module, "ModelArgs"), "from_dict", {fields});
  });
}

/// `source`: the source's model of that config; made here where it is
/// Undefined.
Proof compare(
    Interpreter& interp,
    const Value& module,
    const nlohmann::json& config,
    Port::Depth depth,
    Value& source) {
  Proof proof;
  const Value fields = library::to_value(config);
  const auto args = make_args(interp, module, fields);
  if (!args) {
    const Verdict verdict = verdict_of(args.error()) == Verdict::Failed
                                ? Verdict::Guarded
                                : Verdict::Unproven;
    return ended(std::move(proof), verdict, args.error());
  }
  if (!source.defined()) {
    auto made =
        library::guarded(interp, [&] { return source_model(interp, config); });
    if (!made) {
      return ended(std::move(proof), Verdict::Unproven, made.error());
    }
    source = std::move(*made);
  }
  const auto weights = library::guarded(interp, [&] {
    return interp.call(
        function(interp, "portwright.source_weights", "checkpoint"), {source});
  });
  if (!weights) {
    return ended(std::move(proof), Verdict::Unproven, weights.error());
  }
  const auto port = library::guarded(interp, [&] {
    return interp.call(
        function(interp, "portwright.proving", "load"),
        {module, fields, *weights});
  });
  if (!port) {
    return ended(std::move(proof), verdict_of(port.error()), port.error());
  }
  Comparison comparison(interp, source, *port, proof);
  const auto ran = library::guarded(interp, [&] {
    comparison.run(depth);
    return true;
  });
  if (!ran) {
    const Verdict verdict =
        comparison.source_failed ? Verdict::Unproven : verdict_of(ran.error());
    return ended(std::move(proof), verdict, ran.error());
  }
  conclude(proof, comparison, interp);
  return proof;
}

/// The same in bfloat16, which leaves `source` with rounded weights.
Proof compare_half(
    Interpreter& interp,
    const Value& module,
    const nlohmann::json& config,
    const Value& source,
    Proof proof) {
  const auto check = library::guarded(
      interp, [&] { return check_half(interp, module, config, source); });
  if (!check) {
    proof.reason = "in bfloat16: ";
    return ended(std::move(proof), verdict_of(check.error()), check.error());
  }
  proof.checks.push_back(*check);
  if (!check->skipped && !check->reason.empty()) {
    proof.verdict = Verdict::Failed;
    proof.reason = check->name + ": " + check->reason;
  }
  return proof;
}

}  // namespace

const char* name(Verdict verdict) {
  switch (verdict) {
    case Verdict::Passed:
      return "passed";
    case Verdict::Failed:
      return "failed";
    case Verdict::Guarded:
      return "guarded";
    case Verdict::Unproven:
      break;
  }
  return "unproven";
}

nlohmann::ordered_json to_json(const Proof& proof) {
  using Json = nlohmann::ordered_json;
  const auto number = [](double v) {
    return std::isfinite(v) ? Json(v) : Json(nullptr);
  };
  Json checks = Json::array();
  for (const ProofCheck& check : proof.checks) {
    checks.push_back(
        {{"name", check.name},
         {"status",
          check.skipped          ? "skipped"
          : check.reason.empty() ? "pass"
                                 : "fail"},
         {"value", number(check.value)},
         {"reason", check.reason}});
  }
  return {
      {"verdict", name(proof.verdict)},
      {"worst", number(proof.worst)},
      {"threshold", kTolerance},
      {"reason", proof.reason},
      {"checks", checks},
      {"milliseconds", proof.milliseconds}};
}

Evaluated<Port> Port::load(
    Interpreter& interp,
    const std::string& text,
    const std::string& file) {
  const Quiet quiet(interp);
  return library::guarded(interp, [&] {
    return Port(
        interp,
        Value(interp.run_source("mlx_lm.models._port", file, text)),
        file);
  });
}

bool Port::takes(const nlohmann::json& config) const {
  return make_args(*interp_, module_, library::to_value(config)).has_value();
}

Proof Port::prove(
    const nlohmann::json& config,
    Depth depth,
    const Spelling& spelling) const {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const Quiet quiet(*interp_);
  const Overlapped overlapped(*interp_);
  Value source;
  Proof out = compare(*interp_, module_, config, depth, source);
  if (out.verdict == Verdict::Passed && spelling.config != config &&
      !spelling.config.is_null()) {
    const auto same = library::guarded(*interp_, [&] {
      return same_config(*interp_, config, spelling.config);
    });
    Value other = same && *same ? source : Value();
    auto proof =
        compare(*interp_, module_, spelling.config, Depth::Glance, other);
    if (proof.verdict == Verdict::Failed) {
      proof.reason = "with " + spelling.name + ": " + proof.reason;
      out = std::move(proof);
    }
  }
  if (out.verdict == Verdict::Passed && depth == Depth::Full) {
    out = compare_half(*interp_, module_, config, source, std::move(out));
  }
  if (out.fault) {
    name_port_line(out, file_);
  }
  out.milliseconds =
      std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  return out;
}

Proof prove(
    Interpreter& interp,
    const std::string& text,
    const nlohmann::json& config) {
  const auto port = Port::load(interp, text);
  return port ? port->prove(config)
              : ended({}, verdict_of(port.error()), port.error());
}

}  // namespace portwright::candidate

#include "verify/battery.h"

#include <chrono>

#include "verify/exception.h"
#include "verify/place.h"

namespace portwright::verify {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The port raised: that is its answer. The reference raised: nothing can be
/// said about the port.
CheckResult raised(const Trouble& trouble, Session& session) {
  const bool port = trouble.by == "candidate";
  CheckResult out;
  out.status = port ? Status::Fail : Status::Untrusted;
  out.reason = fmt::format(
      "{} raised {}: {}",
      port ? "the port" : "the reference",
      trouble.kind,
      trouble.message);
  out.detail = trouble.detail;
  if (port) {
    out.place = place_of_exception(session, trouble);
  }
  return out;
}

/// Why a check cannot be run with the weights as they are held; empty: it can.
std::string without_room(const Session& session, const Check& check) {
  const auto& memory = session.subject().memory;
  if (!memory || (memory->streamed ? check.streams : check.copies <= 2)) {
    return "";
  }
  if (memory->streamed) {
    return fmt::format(
        "the model is streamed, and this takes {}",
        check.copies > 2 ? "more copies of its weights"
                         : "too many passes over its weights");
  }
  return check.copies <= memory->copies
             ? ""
             : fmt::format(
                   "takes the memory of {} float32 copies of the weights, and "
                   "there is room for {:.1f}",
                   check.copies,
                   memory->copies);
}

Outcome<CheckResult> run_check(Session& session, const Check& check) {
  if (auto why = without_room(session, check); !why.empty()) {
    return skipped(std::move(why));
  }
  if (check.needs_models) {
    // Without a gold standard nothing can be said, whatever the port did.
    const bool reference = session.reference_trouble().has_value();
    const auto& trouble =
        reference ? session.reference_trouble() : session.candidate_trouble();
    if (trouble) {
      return check.name == "logits"
                 ? raised(*trouble, session)
                 : skipped(
                       reference ? "the reference does not load"
                                 : "the port does not load");
    }
  }
  return check.run(session);
}

/// What is kept of the shared runs, in values of all tensors together.
constexpr size_t kKeptValues = size_t{8} << 20;

/// Keys of runs that tell of the results: the logits, and what went out of a
/// module in which a check failed.
std::vector<std::string> telling_keys(
    const Results& results,
    const std::vector<std::string>& layers) {
  std::vector<std::string> out = {"logits"};
  for (const auto& check : results.checks) {
    const auto& place = check.place;
    const bool layered =
        place.layer && static_cast<size_t>(*place.layer) < layers.size();
    if (check.status == Status::Fail && (layered || !place.module.empty())) {
      auto path = layered ? layers[static_cast<size_t>(*place.layer)] : "";
      path += path.empty() || place.module.empty() ? "" : ".";
      out.push_back("out:" + path + place.module);
    }
  }
  return out;
}

/// Of the shared runs that were made, by "prefill/torch/KEY" and the like.
std::map<std::string, Array> worth_keeping(
    const Session& session,
    const Results& results) {
  std::map<std::string, Array> out;
  size_t size = 0;
  for (const bool torch : {true, false}) {
    const auto keys = telling_keys(
        results,
        torch ? session.reference_layers() : session.candidate_layers());
    for (const std::string run : {"prefill", "decode"}) {
      const Run* made =
          session.made((torch ? "reference-" : "candidate-") + run);
      for (const auto& key : keys) {
        auto array = made ? made->find(key) : std::nullopt;
        if (array && size + array->values.size() <= kKeptValues) {
          size += array->values.size();
          out[run + (torch ? "/torch/" : "/port/") + key] = std::move(*array);
        }
      }
    }
  }
  return out;
}

}  // namespace

std::vector<std::string> chosen_checks(const BatteryOptions& options) {
  std::vector<std::string> out;
  for (const Check& check : all_checks()) {
    if (is_chosen(check, options)) {
      out.emplace_back(check.name);
    }
  }
  return out;
}

bool is_chosen(const Check& check, const BatteryOptions& options) {
  const auto names = [&](const std::vector<std::string>& list) {
    return std::find(list.begin(), list.end(), check.name) != list.end();
  };
  if (names(options.without)) {
    return false;
  }
  if (names(options.also)) {
    return true;
  }
  if (!options.only.empty()) {
    return names(options.only);
  }
  switch (options.mode) {
    case Mode::Quick:
      return check.quick;
    case Mode::Normal:
      return !check.full_only;
    case Mode::Full:
      return true;
  }
  return false;
}

base::Result<CheckResult> judge_by(const Check& check, Session& session) {
  const auto began = Clock::now();
  auto result = run_check(session, check);
  if (!result && result.error().where == Trouble::Where::World) {
    return tl::unexpected(error_of(result.error()));
  }
  auto out = result ? std::move(*result) : raised(result.error(), session);
  out.exchanges = session.take_exchanges();
  name_source_line(session, out.place);
  out.name = check.name;
  out.seconds = seconds_since(began);
  return out;
}

std::vector<std::string> unknown_checks(const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const auto& name : names) {
    const auto& all = all_checks();
    if (std::none_of(all.begin(), all.end(), [&](const Check& check) {
          return check.name == name;
        })) {
      out.push_back(name);
    }
  }
  return out;
}

base::Result<Results> run_battery(
    Session& session,
    const BatteryOptions& options,
    base::Progress& progress) {
  const auto start = Clock::now();
  Results out;
  out.model = session.subject().checkpoint.string();
  out.memory = session.subject().memory;
  progress.begin("loading both models");
  if (const auto loaded = session.load(); !loaded) {
    return tl::unexpected(error_of(loaded.error()));
  }
  out.port = session.port_file();
  if (const auto& modules = session.reference().modules();
      modules.contains("")) {
    out.source = modules.at("").file;
  }
  out.setup = session.take_exchanges();
  for (const auto& text : session.texts()) {
    out.texts.push_back(
        {{"what", text.what},
         {"kind", text.kind},
         {"text", text.text},
         {"ids", text.ids}});
  }
  out.versions = session.versions();
  out.pending = chosen_checks(options);
  for (const Check& check : all_checks()) {
    if (!is_chosen(check, options)) {
      continue;
    }
    out.pending.erase(out.pending.begin());
    const auto known = std::find_if(
        options.done.begin(), options.done.end(), [&](const auto& done) {
          return done.name == check.name;
        });
    if (known != options.done.end()) {
      out.checks.push_back(*known);
      continue;
    }
    progress.begin(check.name);
    auto entry = judge_by(check, session);
    if (!entry) {
      return tl::unexpected(entry.error());
    }
    out.checks.push_back(std::move(*entry));
    out.seconds = seconds_since(start);
    if (options.after_each) {
      if (auto kept = options.after_each(out); !kept) {
        return tl::unexpected(kept.error());
      }
    }
  }
  if (!session.candidate_trouble() && !session.reference_trouble()) {
    out.noise = session.noise().layers;
    out.noise.push_back(session.noise().logits);
  }
  out.layers = static_cast<int>(session.candidate_layers().size());
  out.kinds = session.layer_kinds();
  out.tensors = worth_keeping(session, out);
  out.seconds = seconds_since(start);
  progress.end();
  return out;
}

}  // namespace portwright::verify

#include "checkpoint/safetensors.h"
#include "verify/checks/checks.h"
#include "verify/place.h"

namespace portwright::verify {
namespace {

using nlohmann::json;

std::string listed(const std::vector<std::string>& names) {
  constexpr size_t kShown = 3;
  const size_t shown = std::min(names.size(), kShown);
  auto out =
      fmt::format("{}", fmt::join(names.begin(), names.begin() + shown, ", "));
  if (names.size() > shown) {
    out += fmt::format(" and {} more", names.size() - shown);
  }
  return out;
}

CheckResult
fault(Session& session, std::string reason, const std::string& tensor) {
  auto out = failed(std::move(reason));
  out.place = place_of_weight(session, tensor);
  return out;
}

/// A checkpoint that holds NaN or infinity proves nothing, whoever loads it.
std::optional<CheckResult> find_not_finite(Session& session) {
  const auto checkpoint =
      checkpoint::Checkpoint::open(session.subject().checkpoint);
  if (!checkpoint) {
    return failed(checkpoint.error().message);
  }
  for (const auto& [name, view] : checkpoint->tensors()) {
    if (const auto index = checkpoint::first_not_finite(view)) {
      return fault(
          session,
          fmt::format(
              "the checkpoint's {} holds NaN or infinity (element {} of {})",
              name,
              *index,
              view.size()),
          name);
    }
  }
  return std::nullopt;
}

/// Those tensors that torch computes itself, or does not use.
std::vector<std::string> find_unneeded(
    Session& session,
    const std::vector<std::string>& dropped) {
  if (dropped.empty() || session.reference_trouble() || session.streamed()) {
    return {};
  }
  const auto found = session.reference().request(
      "unneeded",
      {{"model", "model"},
       {"folder", session.subject().checkpoint.string()},
       {"names", dropped},
       {"ids", json::array({session.plan().ids})}});
  return found ? found->value("names", std::vector<std::string>())
               : std::vector<std::string>();
}

CheckResult judge_report(Session& session, const json& report) {
  const auto names = [&](const char* key) {
    return report.value(key, std::vector<std::string>());
  };
  if (const auto missing = names("missing"); !missing.empty()) {
    auto out = fault(
        session,
        "the port needs weights that sanitize does not deliver: " +
            listed(missing),
        missing.front());
    const auto& lacking = report["lacking"];
    const auto stray =
        lacking.is_string() ? place_of_stray_module(session, lacking) : Place();
    if (stray.port_line) {
      out.place = stray;
      out.place.tensor = missing.front();
    }
    return out;
  }
  if (const auto extra = names("extra"); !extra.empty()) {
    return fault(
        session,
        "the port has no parameters for: " + listed(extra),
        extra.front());
  }
  if (const auto& shapes = report["misshapen"]; !shapes.empty()) {
    const auto& first = shapes[0];
    return fault(
        session,
        fmt::format(
            "{} has shape {} in the port and {} in the checkpoint",
            first["name"].get<std::string>(),
            first["port"].dump(),
            first["checkpoint"].dump()),
        first["name"].get<std::string>());
  }
  if (const auto again = names("sanitize_changes_again"); !again.empty()) {
    return fault(
        session,
        "sanitize is not idempotent: a second pass changes " + listed(again),
        again.front());
  }
  const auto duplicates = names("duplicates");
  std::vector<std::string> dropped;
  for (const auto& name : names("dropped")) {
    if (std::find(duplicates.begin(), duplicates.end(), name) ==
        duplicates.end()) {
      dropped.push_back(name);
    }
  }
  const auto unneeded = find_unneeded(session, dropped);
  std::erase_if(dropped, [&](const std::string& name) {
    return std::find(unneeded.begin(), unneeded.end(), name) != unneeded.end();
  });
  if (!dropped.empty()) {
    auto out = warned("sanitize drops " + listed(dropped));
    out.place = place_of_weight(session, dropped.front());
    return out;
  }
  if (const auto tied = names("tied"); !tied.empty()) {
    auto out = warned(
        "a checkpoint that holds tied weights twice does not load: the port "
        "has no parameters for " +
        listed(tied));
    out.place = place_of_weight(session, tied.front());
    return out;
  }
  auto out = passed();
  if (!unneeded.empty()) {
    out.reason =
        "sanitize drops what torch does without too: " + listed(unneeded);
  }
  return out;
}

Outcome<CheckResult> check_weights(Session& session) {
  if (auto bad = find_not_finite(session)) {
    return *bad;
  }
  json arguments = {{"checkpoint", session.subject().checkpoint.string()}};
  if (session.subject().port) {
    arguments["port"] = session.subject().port->string();
  }
  if (!session.reference_trouble()) {
    const auto tied = session.reference().request("tied", {{"model", "model"}});
    if (!tied) {
      return tl::unexpected(tied.error());
    }
    arguments["tied"] = tied->at("tied");
  }
  const auto report = session.candidate().request("weights", arguments);
  if (!report) {
    return tl::unexpected(report.error());
  }
  if (session.candidate_trouble()) {
    session.candidate().take_modules(report->at("modules"));
  }
  return judge_report(session, *report);
}

}  // namespace

Check weights_check() {
  Check out;
  out.name = "weights";
  out.about = "every tensor is used, none is missing, sanitize can run twice";
  out.quick = true;
  out.needs_models = false;
  out.streams = true;
  out.run = check_weights;
  return out;
}

}  // namespace portwright::verify

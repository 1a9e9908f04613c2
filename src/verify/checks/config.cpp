#include <algorithm>

#include "verify/checks/checks.h"
#include "verify/exception.h"
#include "verify/locate.h"
#include "verify/place.h"

namespace portwright::verify {
namespace {

using nlohmann::json;

/// The answers of both sides to every form of the config.
struct Answers {
  Run reference;
  Run candidate;
  json equal;
  json altered;
  json errors;
};

Outcome<Answers> ask(Session& session) {
  Answers out;
  const json ids = {session.plan().ids};
  json facts;
  auto reference = session.reference().tensors(
      "config_forms",
      {{"folder", session.subject().checkpoint.string()}, {"ids", ids}},
      &facts);
  if (!reference) {
    return tl::unexpected(reference.error());
  }
  out.reference = std::move(*reference);
  out.equal = facts["equal"];
  out.altered = facts["altered"];
  json configs = json::array();
  for (const auto* forms : {&out.equal, &out.altered}) {
    for (const auto& form : *forms) {
      configs.push_back(form["config"]);
    }
  }
  auto candidate = session.candidate().tensors(
      "config_forms", {{"configs", configs}, {"ids", ids}}, &facts);
  if (!candidate) {
    return tl::unexpected(candidate.error());
  }
  out.candidate = std::move(*candidate);
  out.errors = facts["errors"];
  return out;
}

/// A form that the port takes otherwise than transformers.
struct WrongForm {
  json config;
  std::string field;
};

/// A form that transformers takes for the same config must not change a thing.
/// `wrong`: the first that does.
void judge_equal(
    Session& session,
    const Answers& answers,
    CheckResult& out,
    std::optional<WrongForm>& wrong) {
  const auto expected = answers.reference.find("logits");
  for (size_t i = 0; i < answers.equal.size(); ++i) {
    const auto form = answers.equal[i]["what"].get<std::string>();
    const auto field = form.substr(0, form.find(' '));
    const auto what = "with " + form;
    const auto error = answers.errors.find(std::to_string(i));
    if (error != answers.errors.end()) {
      if (out.status == Status::Pass) {  // honest, yet such configs occur
        out.status = Status::Warn;
        out.reason = fmt::format(
            "{} the port raises {}: {}",
            what,
            error->value("kind", ""),
            error->value("message", ""));
        out.place =
            place_of_traceback(session, error->value("traceback_tail", ""));
        out.place.made_line = line_of_field(session, field);
      }
      continue;
    }
    const bool before = out.status == Status::Fail;
    const bool good = judge(
        out,
        answers.candidate.find(fmt::format("logits/{}", i)),
        expected,
        session.logits_threshold(),
        what + ", which transformers takes for the same, logits");
    if (!good && !before) {
      wrong = {answers.equal[i]["config"], field};
    }
  }
}

bool near(
    const std::optional<Array>& a,
    const std::optional<Array>& b,
    double limit) {
  const auto difference = a && b ? compare(*a, *b) : std::nullopt;
  return difference && difference->relative <= limit;
}

/// Fields that move torch's logits: another value must move the port's alike,
/// or be refused. The checkpoint at hand is right all the same. `wrong`: the
/// first config of which that is not so.
void judge_altered(
    const Answers& answers,
    CheckResult& out,
    std::optional<WrongForm>& wrong) {
  std::vector<std::string> ignored;
  std::vector<std::string> otherwise;
  const auto base = answers.reference.find("logits");
  for (size_t i = 0; i < answers.altered.size(); ++i) {
    const size_t number = answers.equal.size() + i;
    if (answers.errors.contains(std::to_string(number))) {
      continue;  // an honest refusal
    }
    const auto port = answers.candidate.find(fmt::format("logits/{}", number));
    const auto torch = answers.reference.find(fmt::format("logits/{}", i));
    if (!near(port, torch, kNeverAbove)) {
      const auto& form = answers.altered[i];
      if (!wrong && out.status == Status::Pass) {
        wrong = {form["config"], form["field"]};
      }
      const auto said = fmt::format(
          "{} = {}", form["field"].get<std::string>(), form["value"].dump());
      (near(port, base, kNeverAbove) ? ignored : otherwise).push_back(said);
    }
  }
  std::string reason;
  if (!ignored.empty()) {
    reason = fmt::format("ignores {}", fmt::join(ignored, ", "));
  }
  if (!otherwise.empty()) {
    reason += fmt::format(
        "{}computes otherwise with {}",
        reason.empty() ? "" : "; ",
        fmt::join(otherwise, ", "));
  }
  if (!reason.empty() && out.status != Status::Fail) {
    out.reason = out.reason.empty() ? "" : out.reason + "; ";
    out.reason += "the port " + reason;
    out.status = Status::Warn;
  }
}

/// A module returns what the function in that line answers.
bool is_answered_there(Session& session, int line) {
  const auto& modules = session.candidate().modules();
  return std::any_of(modules.begin(), modules.end(), [&](const auto& entry) {
    return entry.second.answer_line == line;
  });
}

/// The module that is wrong with another config, and the line that takes the
/// field.
Outcome<void>
place_in_form(Session& session, const WrongForm& form, CheckResult& out) {
  return session.in_form(form.config, [&]() -> Outcome<void> {
    Scene scene;
    scene.request.ids = {session.plan().ids};
    scene.request.capture = ".*";
    const auto torch = session.reference().run(scene.request);
    const auto port = session.candidate().run(scene.request);
    if (!torch || !port) {
      return tl::unexpected((torch ? port : torch).error());
    }
    scene.reference = &*torch;
    scene.candidate = &*port;
    auto place = locate(session, scene);
    if (!place) {
      return tl::unexpected(place.error());
    }
    out.place = std::move(*place);
    if (const auto line = line_of_field(session, form.field)) {
      auto& place = out.place;
      // Of a library's module what is made of the config, not its call.
      const auto call =
          "self." + place.module.substr(place.module.rfind('.') + 1) + "(";
      if (place.made_line && place.port_line &&
          line_with(place.port_file, call, *place.port_line) ==
              place.port_line) {
        place.port_line = place.made_line;
      }
      (place.made_line && is_answered_there(session, *place.made_line)
           ? place.given_line
           : place.made_line) = line;
    }
    return {};
  });
}

std::string said(const json& form) {
  const auto& value = form["value"];
  return fmt::format(
      "{} {}",
      form["field"].get<std::string>(),
      value == "absent" ? "absent" : "= " + value.dump());
}

/// A port that differs may compute what torch does with a field left out.
Outcome<CheckResult> explain(Session& session, const Array& port) {
  json facts;
  const auto torch = session.reference().tensors(
      "config_forms",
      {{"folder", session.subject().checkpoint.string()},
       {"ids", {session.plan().ids}},
       {"without", true}},
      &facts);
  if (!torch) {
    return tl::unexpected(torch.error());
  }
  const auto& forms = facts["altered"];
  for (size_t i = 0; i < forms.size(); ++i) {
    const auto form = torch->find(fmt::format("logits/{}", i));
    if (near(port, form, kNeverAbove)) {
      return failed(
          "the port computes what torch computes with " + said(forms[i]));
    }
  }
  return skipped(
      "the port differs, and leaving out no single field explains it");
}

Outcome<CheckResult> check_config(Session& session) {
  const auto torch = session.reference_prefill();
  const auto port = session.candidate_prefill();
  if (!torch || !port) {
    return tl::unexpected((torch ? port : torch).error());
  }
  const auto a = (*port)->find("logits");
  if (a && !near(a, (*torch)->find("logits"), kNeverAbove)) {
    return explain(session, *a);
  }
  const auto answers = ask(session);
  if (!answers) {
    return tl::unexpected(answers.error());
  }
  if (answers->equal.empty() && answers->altered.empty()) {
    return skipped("no other form of this config could be tried");
  }
  auto out = passed();
  std::optional<WrongForm> wrong;
  judge_equal(session, *answers, out, wrong);
  judge_altered(*answers, out, wrong);
  if (wrong) {
    if (auto done = place_in_form(session, *wrong, out); !done) {
      return tl::unexpected(done.error());
    }
  }
  return out;
}

}  // namespace

Check config_check() {
  Check out;
  out.name = "config";
  out.about =
      "fields absent, null and in both forms of rope mean what they mean to "
      "transformers; other values of a field have their effect";
  out.copies = 4;
  out.run = check_config;
  return out;
}

}  // namespace portwright::verify

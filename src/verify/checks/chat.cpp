#include "verify/checks/checks.h"

namespace portwright::verify {
namespace {

using nlohmann::json;

/// The first conversation that both sides render otherwise.
std::optional<std::string> rendered_otherwise(
    const json& torch,
    const json& port) {
  for (const auto& [what, ids] : torch.items()) {
    const bool refused = ids.is_string();  // by both, in whatever words
    const json& ours = port.contains(what) ? port[what] : json();
    if (refused ? !ours.is_string() : ours != ids) {
      return what;
    }
  }
  return std::nullopt;
}

CheckResult judge_chat(const json& torch, const json& port) {
  if (const auto what =
          rendered_otherwise(torch["rendered"], port["rendered"])) {
    return failed(
        fmt::format("mlx_lm renders {} otherwise than transformers", *what));
  }
  for (const auto& stop : torch["stops"]) {
    const auto& stops = port["stops"];
    if (std::find(stops.begin(), stops.end(), stop) == stops.end()) {
      return failed(fmt::format(
          "mlx_lm does not stop at token {}, where generate() does",
          stop.dump()));
    }
  }
  const bool thinks = port.value("thinking", false);
  if (thinks && !port.value("apart", false)) {
    return failed("reasoning is not told apart from the answer behind it");
  }
  const auto text = torch.value("template", std::string());
  if (!thinks && text.find("</think") != text.npos) {
    return warned(
        "the template knows reasoning, but its marks are no tokens that "
        "mlx_lm finds");
  }
  auto out = passed();
  out.reason = thinks ? "reasoning is opened, closed and kept apart" : "";
  return out;
}

Outcome<CheckResult> check_chat(Session& session) {
  const json folder = {{"folder", session.subject().checkpoint.string()}};
  const auto torch = session.reference().request("chat", folder);
  if (!torch) {
    return torch.error().where == Trouble::Where::World
               ? Outcome<CheckResult>(tl::unexpected(torch.error()))
               : skipped("transformers reads no tokenizer here");
  }
  if (torch->value("template", std::string()).empty()) {
    return skipped("the tokenizer has no chat template");
  }
  const auto port = session.candidate().request("chat", folder);
  if (!port) {
    return tl::unexpected(port.error());
  }
  return judge_chat(*torch, *port);
}

}  // namespace

Check chat_check() {
  Check out;
  out.name = "chat";
  out.about =
      "conversations are rendered alike, with thinking switched on and off, "
      "generation stops at the same tokens, reasoning is told apart";
  out.needs_models = false;
  out.streams = true;
  out.run = check_chat;
  return out;
}

}  // namespace portwright::verify

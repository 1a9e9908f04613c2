#include <fmt/format.h>

#include <iostream>
#include <memory>

#include "cli/verbs.h"

namespace portwright::cli {
namespace {

/// The long options of a command, separated by blanks.
std::string options_of(const CLI::App& app) {
  std::string out;
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) {
      out += (out.empty() ? "--" : " --") + name;
    }
  }
  return out;
}

std::string verb_names() {
  std::string out;
  for (const auto& verb : verbs()) {
    out += (out.empty() ? "" : " ") + std::string(verb.name);
  }
  return out;
}

std::string bash(const CLI::App& root) {
  std::string cases;
  for (const auto* sub : root.get_subcommands({})) {
    cases += fmt::format(
        "    {}) words=\"{}\" ;;\n", sub->get_name(), options_of(*sub));
  }
  return fmt::format(
      R"(_portwright() {{
  local words="{} {}"
  case "${{COMP_WORDS[1]}}" in
{}  esac
  if [[ ${{COMP_CWORD}} -eq 1 || ${{COMP_WORDS[COMP_CWORD]}} == -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
  fi
}}
complete -o default -F _portwright portwright ./portwright
)",
      verb_names(),
      options_of(root),
      cases);
}

std::string fish(const CLI::App& root) {
  std::string out;
  for (const auto& verb : verbs()) {
    out += fmt::format(
        "complete -c portwright -n __fish_use_subcommand -a {} -d '{}'\n",
        verb.name,
        verb.summary);
  }
  for (const auto* sub : root.get_subcommands({})) {
    for (const auto* option : sub->get_options()) {
      for (const auto& name : option->get_lnames()) {
        out += fmt::format(
            "complete -c portwright -n '__fish_seen_subcommand_from {}' -l "
            "{}\n",
            sub->get_name(),
            name);
      }
    }
  }
  return out;
}

std::string script(const std::string& shell, const CLI::App& root) {
  if (shell == "fish") {
    return fish(root);
  }
  // zsh runs bash's completions.
  return (shell == "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n"
                         : "") +
         bash(root);
}

}  // namespace

Run verb_completion(CLI::App& app, const Common&) {
  auto shell = std::make_shared<std::string>();
  app.add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  return [&app, shell](Console& console) {
    const std::string text = script(*shell, *app.get_parent());
    if (console.json()) {
      console.result({{"shell", *shell}, {"script", text}});
    } else {
      std::cout << text;
    }
    return ExitCode::Done;
  };
}

}  // namespace portwright::cli

#include "cli/command_line.h"

#include <algorithm>
#include <iostream>
#include <new>

#include "base/check.h"
#include "cli/verbs.h"

namespace portwright::cli {
namespace {

constexpr const char* kFooter =
    "MODEL is a local directory, a Hub id, or a transformers model type.\n"
    "portwright VERB --help tells a verb's options.\n"
    "Exit codes: 0 done and proven, 1 a verdict failed, 2 usage, 3 refused,\n"
    "  4 file, network or worker, 70 our bug, 130 interrupted";

void add_common(CLI::App& app, Common& common) {
  const char* group = "Common options";
  app.add_option(
         "--transformers",
         common.transformers,
         "transformers source: package, src/ or checkout")
      ->type_name("DIR")
      ->group(group);
  app.add_option(
         "--reference-python",
         common.reference_python,
         "Python with the reference's transformers")
      ->type_name("PATH")
      ->group(group);
  app.add_flag(
         "--json", common.json, "one JSON object on stdout, text on stderr")
      ->group(group);
  app.add_flag("-q,--quiet", common.quiet, "only results and faults")
      ->group(group);
}

/// Levenshtein's distance, for "did you mean".
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) {
    row[j] = j;
  }
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min(
          {above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

/// The message for a first word that is no verb.
base::Error unknown_verb(const std::string& word) {
  std::string best;
  size_t least = 3;
  for (const auto& verb : verbs()) {
    if (const size_t d = distance(word, verb.name); d < least) {
      least = d;
      best = verb.name;
    }
  }
  return {
      "there is no verb `" + word + "`",
      best.empty() ? "portwright --help lists the verbs"
                   : "did you mean `" + best + "`?"};
}

bool known(const std::string& word) {
  return std::any_of(verbs().begin(), verbs().end(), [&](const Verb& verb) {
    return word == verb.name;
  });
}

/// The first word where a verb is expected, unless it is an option.
const std::string* first_word(const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const auto& word = arguments[i];
    if (word == "--transformers" || word == "--reference-python") {
      ++i;
    } else if (!word.starts_with("-")) {
      return &word;
    }
  }
  return nullptr;
}

/// Runs a verb so that no exception leaves it.
ExitCode guarded(const Run& run, Console& console) {
  try {
    return run(console);
  } catch (const std::bad_alloc&) {
    return console.fail({"out of memory", "try a smaller model or input"});
  } catch (const std::exception& bug) {
    return console.fail(
        {std::string("internal error: ") + bug.what(),
         "this is a bug of portwright; please report it with the command and "
         "the output of `portwright doctor`"},
        ExitCode::OurBug);
  }
}

}  // namespace

int run_command_line(
    std::vector<std::string> arguments,
    std::ostream& out,
    std::ostream& err) {
  CLI::App app(
      "Ports transformers models to mlx-lm and proves the ports.",
      "portwright");
  app.set_version_flag(
      "--version",
      "portwright " PORTWRIGHT_VERSION,
      "print the version and exit");
  app.get_formatter()->column_width(28);
  app.get_formatter()->label("SUBCOMMAND", "VERB");
  app.set_help_flag("-h,--help", "print this and exit");
  app.footer(kFooter);
  Common common;
  common.arguments = arguments;
  add_common(app, common);
  app.require_subcommand(0, 1);
  std::vector<std::pair<CLI::App*, Run>> runs;
  for (const auto& verb : verbs()) {
    auto* sub = app.add_subcommand(verb.name, verb.summary)->group("Verbs");
    sub->footer("");
    runs.emplace_back(sub, verb.declare(*sub, common));
    add_common(*sub, common);
  }

  const auto usage = [&](const base::Error& error) {
    // Parsing may have failed before it came to the flag.
    common.json |= std::find(arguments.begin(), arguments.end(), "--json") !=
                   arguments.end();
    return static_cast<int>(
        Console(common, out, err).fail(error, ExitCode::Usage));
  };
  if (const auto* word = first_word(arguments); word && !known(*word)) {
    return usage(unknown_verb(*word));
  }
  try {
    // CLI11 takes them from the back.
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    out << app.help();
    return 0;
  } catch (const CLI::CallForVersion& version) {
    out << version.what() << '\n';
    return 0;
  } catch (const CLI::ParseError& error) {
    const auto used = app.get_subcommands();
    return usage(
        {error.what(),
         "see portwright " +
             (used.empty() ? "" : used.front()->get_name() + " ") + "--help"});
  }
  for (const auto& [sub, run] : runs) {
    if (sub->parsed()) {
      Console console(common);
      return static_cast<int>(guarded(run, console));
    }
  }
  err << app.help();
  return static_cast<int>(ExitCode::Usage);
}

}  // namespace portwright::cli

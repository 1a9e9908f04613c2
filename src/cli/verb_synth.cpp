#include <fmt/format.h>

#include "base/paths.h"
#include "cli/environment.h"
#include "cli/verbs.h"
#include "verify/workers.h"

namespace portwright::cli {
namespace {

struct SynthOptions {
  std::string what;
  std::string directory;
  int seed = -1;
  std::vector<std::string> set;
  bool flat_rope = false;
  bool trust_remote_code = false;
};

/// {"key": value} of the KEY=JSON words; a value that is no JSON is a string.
base::Result<nlohmann::json> overrides(const std::vector<std::string>& words) {
  nlohmann::json out = nlohmann::json::object();
  for (const auto& word : words) {
    const size_t at = word.find('=');
    if (at == std::string::npos || at == 0) {
      return base::fail("--set " + word, "write --set KEY=VALUE");
    }
    const auto text = word.substr(at + 1);
    auto value = nlohmann::json::parse(text, nullptr, false);
    out[word.substr(0, at)] =
        value.is_discarded() ? nlohmann::json(text) : std::move(value);
  }
  return out;
}

ExitCode
synth(const SynthOptions& options, const Common& common, Console& console) {
  const auto set = overrides(options.set);
  if (!set) {
    return console.fail(set.error(), ExitCode::Usage);
  }
  const auto environment = worker_environment(common);
  if (!environment) {
    return console.fail(environment.error());
  }
  if (auto made = base::make_directories(options.directory); !made) {
    return console.fail(made.error());
  }
  console.progress().begin("making a tiny checkpoint of " + options.what);
  auto worker = verify::start_reference(*environment);
  if (!worker) {
    return console.fail(worker.error());
  }
  const auto made = verify::synthesize(
      *worker,
      options.what,
      std::filesystem::absolute(options.directory),
      {.seed = options.seed,
       .overrides = *set,
       .flat_rope = options.flat_rope,
       .trust_remote_code = options.trust_remote_code});
  console.progress().end();
  if (!made) {
    const bool world = made.error().where == verify::Trouble::Where::World;
    return console.fail(
        {made.error().message,
         world ? made.error().detail
               : "a local directory, a config.json or a model type of the "
                 "installed transformers is meant"});
  }
  const bool cached = made->value("cached", false);
  console.say(fmt::format(
      "{} holds a checkpoint of {}{}",
      options.directory,
      (*made)["config"].value("model_type", options.what),
      cached ? " (from the cache)" : ""));
  console.result(
      {{"schema", 1}, {"checkpoint", options.directory}, {"cached", cached}});
  return ExitCode::Done;
}

}  // namespace

Run verb_synth(CLI::App& app, const Common& common) {
  auto options = std::make_shared<SynthOptions>();
  app.add_option("what", options->what, "a model type, or a config to shrink")
      ->type_name("TYPE|CONFIG")
      ->required();
  app.add_option("-o", options->directory, "where the checkpoint goes")
      ->type_name("DIR")
      ->required();
  app.add_option("--seed", options->seed, "another seed, other weights");
  app.add_option("--set", options->set, "set a field of the config")
      ->type_name("KEY=VALUE");
  app.add_flag(
      "--flat-rope",
      options->flat_rope,
      "also write rope_theta and rope_scaling as transformers 4 did");
  app.add_flag(
      "--trust-remote-code",
      options->trust_remote_code,
      "let transformers run code that comes with the config");
  return [options, &common](Console& console) {
    return synth(*options, common, console);
  };
}

}  // namespace portwright::cli

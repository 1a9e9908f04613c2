#include <fmt/format.h>
#include <mlx/mlx.h>
#include <mlx/version.h>

#include <filesystem>

#include "base/paths.h"
#include "base/subprocess.h"
#include "cli/environment.h"
#include "cli/verbs.h"

namespace portwright::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

enum class Status { Pass, Warn, Fail };

struct Check {
  std::string name;
  Status status;
  std::string detail;
  std::string hint;
};

const char* name(Status status) {
  constexpr const char* kNames[] = {"pass", "warn", "fail"};
  return kNames[static_cast<int>(status)];
}

Check failed(std::string name, const base::Error& error) {
  return {std::move(name), Status::Fail, error.message, error.hint};
}

// Importing torch on a cold disc takes long.
constexpr base::Milliseconds kImportTimeout{180'000};

/// Runs a line of Python; its stdout, or the last line of its stderr.
base::Result<std::string> ask(
    const std::string& python,
    const std::string& script) {
  auto output =
      base::run({.arguments = {python, "-c", script}}, "", kImportTimeout);
  if (!output) {
    return tl::unexpected(output.error());
  }
  if (!output->status.ok()) {
    std::string_view text = output->err;
    while (text.ends_with('\n')) {
      text.remove_suffix(1);
    }
    return base::fail(
        "`" + python + "`: " + std::string(text.substr(text.rfind('\n') + 1)));
  }
  return output->out;
}

Check check_python(const std::string& python) {
  const auto version =
      ask(python, "import platform; print(platform.python_version(), end='')");
  if (!version) {
    return failed("python", version.error());
  }
  return {"python", Status::Pass, *version + " at " + python, ""};
}

/// The installed versions against requirements.lock, as one JSON object asked
/// of Python; another version is a warning, none a failure.
void check_packages(
    const std::string& python,
    std::vector<Check>& checks,
    Json& versions) {
  const auto answer =
      ask(python,
          "import importlib.metadata as m, json\n"
          "print(json.dumps({d.name.lower(): d.version for d in "
          "m.distributions() if d.name}))");
  if (!answer) {
    checks.push_back(failed("packages", answer.error()));
    return;
  }
  const auto installed = Json::parse(*answer, nullptr, false);
  for (const auto& pin : pins()) {
    if (!installed.contains(pin.name)) {
      checks.push_back(
          {pin.name, Status::Fail, "not installed", "pinned: " + pin.version});
      continue;
    }
    const auto version = installed[pin.name].get<std::string>();
    versions[pin.name] = version;
    // "2.13.0+cpu" is 2.13.0.
    const bool same = version.substr(0, version.find('+')) == pin.version;
    checks.push_back(
        {pin.name,
         same ? Status::Pass : Status::Warn,
         version,
         same ? "" : "pinned and tested: " + pin.version});
  }
}

Check check_reference(const Common& common) {
  const auto python = reference_python(common);
  if (!python) {
    return failed("reference", python.error());
  }
  const auto answer =
      ask(*python,
          "import torch, transformers\n"
          "print(f'torch {torch.__version__}, transformers "
          "{transformers.__version__}', end='')");
  if (!answer) {
    return failed("reference", answer.error());
  }
  return {"reference", Status::Pass, *answer + " import", ""};
}

Check check_mlx() {
  namespace mx = mlx::core;
  try {
    auto sum = mx::sum(mx::ones({2, 3}));
    const bool right = sum.item<float>() == 6.0f;
    return {
        "mlx library",
        right ? Status::Pass : Status::Fail,
        std::string(mx::version()) +
            (mx::default_device() == mx::Device::gpu ? ", Metal" : ", CPU"),
        right ? "" : "a sum of six ones is not 6"};
  } catch (const std::exception& error) {
    return {"mlx library", Status::Fail, error.what(), ""};
  }
}

Check check_transformers(const Common& common) {
  const auto folder = transformers_directory(common);
  if (!folder) {
    return failed("transformers source", folder.error());
  }
  std::error_code error;
  size_t models = 0;
  for (const auto& entry : fs::directory_iterator(*folder / "models", error)) {
    models += entry.is_directory();
  }
  return {
      "transformers source",
      error || models == 0 ? Status::Fail : Status::Pass,
      fmt::format("{} model folders in {}", models, folder->string()),
      error ? error.message() : ""};
}

Check check_data() {
  const auto folder = base::data_directory();
  if (!folder) {
    return failed("workers", folder.error());
  }
  std::error_code ignored;
  const bool there = fs::is_directory(*folder / "workers", ignored);
  return {
      "workers",
      there ? Status::Pass : Status::Fail,
      (*folder / "workers").string(),
      there ? "" : "the folder is missing; is PORTWRIGHT_HOME right?"};
}

Check check_disc() {
  const auto cache = base::cache_directory();
  if (!cache) {
    return failed("cache", cache.error());
  }
  std::error_code error;
  const auto space = fs::space(*cache, error);
  const double gigabytes = static_cast<double>(space.available) / 1e9;
  if (error) {
    return failed("cache", {error.message(), ""});
  }
  const bool enough = gigabytes >= 5;
  return {
      "cache",
      enough ? Status::Pass : Status::Warn,
      fmt::format("{:.1f} GB free at {}", gigabytes, cache->string()),
      enough ? "" : "checkpoints need room; XDG_CACHE_HOME moves the cache"};
}

Check check_compiler() {
  const auto output =
      base::run({.arguments = {"c++", "--version"}}, "", kImportTimeout);
  if (!output || !output->status.ok()) {
    return {
        "compiler",
        Status::Warn,
        "no c++",
        "only needed to build portwright from a checkout"};
  }
  return {
      "compiler",
      Status::Pass,
      output->out.substr(0, output->out.find('\n')),
      ""};
}

void show(const Check& check, Console& console) {
  const std::string mark = check.status == Status::Pass ? console.green("ok  ")
                           : check.status == Status::Warn
                               ? console.yellow("warn")
                               : console.red("fail");
  console.say(fmt::format("{} {:<20} {}", mark, check.name, check.detail));
  if (!check.hint.empty()) {
    console.say(fmt::format("     {:<20} hint: {}", "", check.hint));
  }
}

ExitCode doctor(const Common& common, Console& console) {
  std::vector<Check> checks;
  Json versions{{"portwright", PORTWRIGHT_VERSION}};
  if (const auto python = our_python()) {
    console.progress().begin("asking Python for its packages");
    checks.push_back(check_python(*python));
    check_packages(*python, checks, versions);
  } else {
    checks.push_back(failed("python", python.error()));
  }
  console.progress().begin("importing torch and transformers");
  checks.push_back(check_reference(common));
  console.progress().end();
  checks.push_back(check_mlx());
  checks.push_back(check_transformers(common));
  checks.push_back(check_data());
  checks.push_back(check_disc());
  checks.push_back(check_compiler());

  Json listed = Json::array();
  bool good = true;
  for (const auto& check : checks) {
    good &= check.status != Status::Fail;
    show(check, console);
    listed.push_back(
        {{"name", check.name},
         {"status", name(check.status)},
         {"detail", check.detail},
         {"hint", check.hint}});
  }
  console.say(good ? "ready" : "not ready");
  console.result(
      {{"schema", 1},
       {"ready", good},
       {"checks", listed},
       {"versions", versions}});
  return good ? ExitCode::Done : ExitCode::World;
}

}  // namespace

Run verb_doctor(CLI::App&, const Common& common) {
  return [&common](Console& console) { return doctor(common, console); };
}

}  // namespace portwright::cli

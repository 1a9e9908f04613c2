#include "cli/manifest.h"

#include "base/paths.h"
#include "base/subprocess.h"
#include "cli/environment.h"

namespace portwright::cli {

namespace fs = std::filesystem;
using nlohmann::json;
using Json = nlohmann::ordered_json;

namespace {

constexpr base::Milliseconds kManifestTimeout{60'000};

/// One call of portwright.manifest: its answer is one JSON object.
base::Result<json> ask_manifest(
    const std::vector<std::string>& arguments,
    const std::string& input) {
  const auto python = our_python();
  if (!python) {
    return tl::unexpected(python.error());
  }
  const auto data = base::data_directory();
  if (!data) {
    return tl::unexpected(data.error());
  }
  base::Command command;
  command.arguments = {*python, "-m", "portwright.manifest"};
  command.arguments.insert(
      command.arguments.end(), arguments.begin(), arguments.end());
  command.environment = {{"PYTHONPATH", data->parent_path().string()}};
  const auto output = base::run(command, input, kManifestTimeout);
  if (!output) {
    return tl::unexpected(output.error());
  }
  auto answer = json::parse(output->out, nullptr, false);
  if (!output->status.ok() || !answer.is_object()) {
    return base::fail("reading YAML failed in Python", output->err);
  }
  return answer;
}

/// The fault that Python found, shown with its line.
void tell_fault(const json& fault, const fs::path& file, Console& console) {
  const auto text = base::read_file(file).value_or("");
  const base::SourceFile source(file.string(), text);
  diagnostics::Diagnostic diagnostic;
  diagnostic.kind = diagnostics::Kind::ConfigError;
  diagnostic.message = fault.value("message", "");
  diagnostic.hint = fault.value("hint", "");
  const auto offset =
      std::min<size_t>(fault.value("offset", size_t{0}), text.size());
  const auto end =
      std::clamp<size_t>(fault.value("end", offset + 1), offset, text.size());
  diagnostic.span = {
      &source, static_cast<uint32_t>(offset), static_cast<uint32_t>(end)};
  console.diagnostic(diagnostic);
  auto shown =
      Json::parse(diagnostics::render_json(diagnostic), nullptr, false);
  console.result({{"error", std::move(shown)}});
}

}  // namespace

verify::BatteryOptions Manifest::battery() const {
  verify::BatteryOptions out;
  out.mode = mode == "quick"  ? verify::Mode::Quick
             : mode == "full" ? verify::Mode::Full
                              : verify::Mode::Normal;
  out.only = checks;
  if (!quantize) {
    out.without.push_back("quantized");
  }
  return out;
}

std::string model_type_of(const std::string& model) {
  std::error_code ignored;
  std::string out = model;
  if (fs::is_directory(model, ignored)) {
    const auto text = base::read_file(fs::path(model) / "config.json");
    const auto config = text ? json::parse(*text, nullptr, false) : json();
    const auto folder = fs::absolute(model).lexically_normal();
    out = folder.has_filename() ? folder.filename().string()
                                : folder.parent_path().filename().string();
    if (config.is_object() && config.contains("model_type") &&
        config["model_type"].is_string()) {
      out = config["model_type"].get<std::string>();
    }
  }
  for (char& c : out) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) ||
                       c == '_' || c == '-' || c == '.';
    c = plain ? c : '-';
  }
  return out.empty() || out.front() == '.' ? "model" + out : out;
}

Json to_json(const Manifest& manifest) {
  Json out = {{"version", 2}, {"model_type", manifest.model_type}};
  if (!manifest.port.empty()) {
    out["port"] = manifest.port;
  }
  if (!manifest.pr.is_null()) {
    out["pr"] = manifest.pr;
  }
  out["mode"] = manifest.mode;
  if (!manifest.checks.empty()) {
    out["checks"] = manifest.checks;
  }
  out["quantize"] = manifest.quantize;
  out["trust_remote_code"] = manifest.trust_remote_code;
  if (!manifest.notes.empty()) {
    out["notes"] = manifest.notes;
  }
  for (const auto& variant : manifest.variants) {
    Json one = {{"name", variant.name}, {"model", variant.model}};
    const auto text = [&](const char* key, const std::string& value) {
      if (!value.empty()) {
        one[key] = value;
      }
    };
    text("type", variant.type);
    if (variant.memory_gb) {
      one["memory_gb"] = *variant.memory_gb;
    }
    text("expected_dtype", variant.expected_dtype);
    if (!variant.set.empty()) {
      one["set"] = variant.set;
    }
    if (variant.seed >= 0) {
      one["seed"] = variant.seed;
    }
    text("notes", variant.notes);
    out["variants"].push_back(std::move(one));
  }
  return out;
}

Manifest manifest_from_json(const json& object) {
  Manifest out;
  out.model_type = object.value("model_type", "");
  out.port = object.value("port", "");
  out.mode = object.value("mode", out.mode);
  out.checks = object.value("checks", out.checks);
  out.quantize = object.value("quantize", true);
  out.trust_remote_code = object.value("trust_remote_code", false);
  out.notes = object.value("notes", "");
  out.pr = object.value("pr", json());
  for (const auto& one : object.value("variants", json::array())) {
    ManifestVariant variant;
    variant.name = one.value("name", "");
    variant.model = one.value("model", "");
    variant.type = one.value("type", "");
    if (one.contains("memory_gb")) {
      variant.memory_gb = one["memory_gb"].get<double>();
    }
    variant.expected_dtype = one.value("expected_dtype", "");
    variant.set = one.value("set", variant.set);
    variant.seed = one.value("seed", variant.seed);
    variant.notes = one.value("notes", "");
    out.variants.push_back(std::move(variant));
  }
  return out;
}

tl::expected<Manifest, ExitCode> read_manifest(
    const fs::path& file,
    Console& console) {
  const auto text = base::read_file(file);
  if (!text) {
    return tl::unexpected(console.fail(text.error()));
  }
  const auto answer = ask_manifest({"read", file.string()}, *text);
  if (!answer) {
    return tl::unexpected(console.fail(answer.error()));
  }
  if (answer->contains("fault")) {
    tell_fault(answer->at("fault"), file, console);
    return tl::unexpected(ExitCode::Usage);
  }
  auto out = manifest_from_json(answer->at("manifest"));
  if (const auto unknown = verify::unknown_checks(out.checks);
      !unknown.empty()) {
    return tl::unexpected(console.fail(
        {fmt::format("{}: there is no check `{}`", file.string(), unknown[0]),
         "docs/bench.md lists the checks"},
        ExitCode::Usage));
  }
  return out;
}

base::Result<std::string> manifest_text(const Manifest& manifest, int version) {
  const auto answer = ask_manifest(
      {"write", "--version", std::to_string(version)},
      to_json(manifest).dump());
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  if (answer->contains("fault")) {
    return base::fail(
        answer->at("fault").value("message", ""),
        answer->at("fault").value("hint", ""));
  }
  return answer->at("text").get<std::string>();
}

}  // namespace portwright::cli

#include "report/archive.h"

#include <chrono>

#include "base/digest.h"
#include "base/paths.h"
#include "checkpoint/safetensors.h"
#include "report/read_results.h"

namespace portwright::report {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

std::string timestamp() {
  using namespace std::chrono;
  const auto now = floor<seconds>(system_clock::now());
  const auto day = floor<days>(now);
  const year_month_day date{day};
  const hh_mm_ss time{now - day};
  return fmt::format(
      "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
      static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()),
      static_cast<unsigned>(date.day()),
      time.hours().count(),
      time.minutes().count(),
      time.seconds().count());
}

/// With one variant the archive is its folder.
fs::path folder_of(
    const ProofRun& run,
    const std::string& variant,
    const fs::path& archive) {
  return run.variants.size() == 1 ? archive : archive / "variants" / variant;
}

base::Result<void> write_json(const fs::path& path, const Json& json) {
  return base::write_file(
      path,
      json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) +
          "\n");
}

base::Result<void> write_tensors(
    const verify::Results& results,
    const fs::path& folder) {
  if (results.tensors.empty()) {
    return {};
  }
  checkpoint::Tensors views;
  for (const auto& [name, array] : results.tensors) {
    auto& view = views[name];
    view.shape = array.shape;
    view.data = std::as_bytes(std::span(array.values));
  }
  return checkpoint::write_safetensors(folder / "tensors.safetensors", views);
}

/// The map that `compile --map` writes, of the first source behind each line.
Json map_of(const std::vector<SourceLink>& links) {
  std::vector<std::string> files;
  Json lines = Json::object();
  for (const auto& link : links) {
    auto file = std::find(files.begin(), files.end(), link.source_file);
    if (file == files.end()) {
      file = files.insert(file, link.source_file);
    }
    lines[std::to_string(link.port_line)].push_back(
        {file - files.begin(), link.source_line});
  }
  return {{"schema", 1}, {"files", files}, {"lines", lines}};
}

/// The port as it was judged, if it is a file, and its map.
base::Result<void> keep_port(const ProofRun& run, const fs::path& archive) {
  for (const auto& [name, report] : run.variants) {
    if (report.results.port.empty()) {
      continue;
    }
    const auto text = base::read_file(report.results.port);
    if (!text) {
      return tl::unexpected(text.error());
    }
    if (auto kept = base::write_file(archive / "port.py", *text); !kept) {
      return kept;
    }
    return report.links.empty()
               ? base::Result<void>()
               : write_json(archive / "port.py.map.json", map_of(report.links));
  }
  return {};
}

nlohmann::json read_json(const fs::path& path) {
  const auto text = base::read_file(path);
  return text ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
}

}  // namespace

base::Result<fs::path> begin_archive(
    const ProofRun& run,
    const fs::path& directory) {
  const auto when = timestamp();
  const auto digest = base::digest_of(run.facts.dump()).substr(0, 8);
  const fs::path folder =
      directory / run.model_type / fmt::format("{}-{}", when, digest);
  Json facts = run.facts;
  facts["started"] = when;
  if (auto written = write_json(folder / "run.json", facts); !written) {
    return tl::unexpected(written.error());
  }
  if (auto written = base::write_file(folder / "manifest.yaml", run.manifest);
      !written) {
    return tl::unexpected(written.error());
  }
  return folder;
}

base::Result<void> archive_check(
    const ProofRun& run,
    const std::string& variant,
    const verify::CheckResult& check,
    const fs::path& archive) {
  Json json = to_json(check);
  json["exchanges"] = check.exchanges;
  return write_json(
      folder_of(run, variant, archive) / "checks" / (check.name + ".json"),
      json);
}

base::Result<void> finish_archive(
    const ProofRun& run,
    const fs::path& archive) {
  for (const auto& variant : run.variants) {
    const auto folder = folder_of(run, variant.name, archive);
    const auto& results = variant.report.results;
    for (const auto& check : results.checks) {
      if (auto kept = archive_check(run, variant.name, check, archive); !kept) {
        return kept;
      }
    }
    if (!results.setup.empty()) {
      auto written =
          write_json(folder / "checks" / "setup.json", results.setup);
      if (!written) {
        return written;
      }
    }
    if (auto written = write_tensors(results, folder); !written) {
      return written;
    }
    if (folder != archive) {
      if (auto written = write_report(variant.report, folder); !written) {
        return written;
      }
    }
  }
  if (auto kept = keep_port(run, archive); !kept) {
    return kept;
  }
  const std::vector<std::pair<const char*, std::string>> texts = {
      {"summary.md", to_markdown(run)}, {"report.html", to_html(run)}};
  for (const auto& [name, text] : texts) {
    if (auto written = base::write_file(archive / name, text); !written) {
      return written;
    }
  }
  return write_json(archive / "results.json", to_json(run));
}

fs::path find_unfinished(const ProofRun& run, const fs::path& directory) {
  fs::path newest;
  std::error_code ignored;
  for (const auto& entry :
       fs::directory_iterator(directory / run.model_type, ignored)) {
    const auto& path = entry.path();
    const auto facts = read_json(path / "run.json");
    if (facts.is_object() && !fs::exists(path / "results.json", ignored) &&
        facts.value("subject", nlohmann::json()) ==
            nlohmann::json(run.facts.at("subject")) &&
        path > newest) {
      newest = path;
    }
  }
  return newest;
}

std::vector<verify::CheckResult> archived_checks(
    const ProofRun& run,
    const std::string& variant,
    const fs::path& archive) {
  std::vector<verify::CheckResult> out;
  std::error_code ignored;
  const auto folder = folder_of(run, variant, archive) / "checks";
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    auto check = check_from_json(read_json(entry.path()));
    if (check) {
      out.push_back(std::move(*check));
    }
  }
  return out;
}

base::Result<Archived> read_archive(const fs::path& archive) {
  Archived out;
  std::error_code ignored;
  if (!fs::is_directory(archive, ignored)) {
    return base::fail(
        archive.string() + ": no such directory",
        "the folder of one run is meant, results/<model>/<time>-<digest>");
  }
  for (const auto& [name, json] :
       {std::pair{"run.json", &out.facts},
        std::pair{"results.json", &out.results}}) {
    if (!fs::exists(archive / name, ignored)) {
      const bool interrupted = !out.facts.is_null();
      return base::fail(
          fmt::format("{} has no {}", archive.string(), name),
          interrupted ? "that run did not finish: `verify --resume` with its "
                        "arguments goes on"
                      : "the folder of one run is meant, "
                        "results/<model>/<time>-<digest>");
    }
    *json = read_json(archive / name);
    if (!json->is_object() || json->value("schema", 0) != 1) {
      return base::fail(
          fmt::format(
              "{}: not what this version of portwright writes",
              (archive / name).string()),
          "the file is damaged, or of another version");
    }
  }
  return out;
}

}  // namespace portwright::report

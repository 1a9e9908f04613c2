#include "cli/fillings.h"

#include "base/digest.h"
#include "base/paths.h"
#include "cli/compiling.h"

namespace portwright::cli {

namespace fs = std::filesystem;

namespace {

std::optional<std::string> text_of(const fs::path& file) {
  auto bytes = base::read_file(file);
  return bytes ? std::optional(std::move(*bytes)) : std::nullopt;
}

fs::path with_ending(fs::path file, const std::string& ending) {
  return file.replace_extension(ending);
}

emit::Draft draft_of(const emit::Emitted& emitted) {
  emit::Draft out{emitted.text, {}};
  for (const auto& task : emitted.tasks) {
    out.holes[task.class_name] = task.id;
  }
  return out;
}

}  // namespace

fs::path Fillings::draft_path() const {
  return with_ending(file_, ".holes.py");
}

fs::path Fillings::notes_path() const {
  return with_ending(file_, ".holes.json");
}

base::Result<Fillings> Fillings::beside(const fs::path& file) {
  Fillings out(file);
  out.edited_ = text_of(out.draft_path());
  const auto bytes = text_of(out.notes_path());
  if (!bytes) {
    return out;
  }
  const auto notes = nlohmann::json::parse(*bytes, nullptr, false);
  if (!notes.is_object() || !notes.contains("draft") ||
      !notes["draft"].is_string() || !notes.contains("tasks") ||
      !notes["tasks"].is_array()) {
    return base::fail(
        out.notes_path().string() + " is not what was written there",
        "put it back, or move it and " + out.draft_path().string() + " away");
  }
  emit::Draft base{notes["draft"].get<std::string>(), {}};
  for (const auto& task : notes["tasks"]) {
    base.holes[task.value("class", "")] = task.value("id", "");
  }
  out.base_ = std::move(base);
  out.written_ = notes.value("written", "");
  // A draft that was renamed is edited, too.
  const bool renamed = out.written_.empty() && !out.edited_;
  auto port = out.written_.empty() && !renamed ? std::nullopt : text_of(file);
  if (port && base::digest_of(*port) != out.written_) {
    const bool both =
        out.edited_ && base::digest_of(*out.edited_) != notes.value("left", "");
    out.unread_ = both ? std::move(out.edited_) : std::nullopt;
    out.edited_ = std::move(port);
    out.written_.clear();
  }
  return out;
}

base::Result<emit::Refilled> Fillings::put_into(const emit::Emitted& draft) {
  const emit::Draft fresh = draft_of(draft);
  if (base_ && edited_ && *edited_ != draft.text) {
    return emit::refill(*base_, *edited_, fresh);
  }
  emit::Refilled out;
  out.text = draft.text;
  for (const auto& [name, id] : fresh.holes) {
    out.open.push_back(name);
  }
  if (edited_ && *edited_ != draft.text) {
    out.outdated.emplace_back(
        draft_path().filename().string(),
        "nothing beside it says which draft it was made of");
  }
  return out;
}

base::Result<void> Fillings::keep_aside(const std::string& text) {
  for (int i = 1;; ++i) {
    const fs::path path =
        with_ending(file_, ".kept" + (i == 1 ? "" : std::to_string(i)) + ".py");
    const auto there = text_of(path);
    if (there && *there != text) {
      continue;
    }
    if (std::find(aside_.begin(), aside_.end(), path) == aside_.end()) {
      aside_.push_back(path);
    }
    return there ? base::Result<void>{} : base::write_file(path, text);
  }
}

base::Result<void> Fillings::write_whole(const std::string& text) {
  const auto port = base_ ? text_of(file_) : std::nullopt;
  if (port && base::digest_of(*port) != written_) {
    if (auto kept = keep_aside(*port); !kept) {
      return kept;
    }
  }
  if (const auto bytes = base_ ? text_of(notes_path()) : std::nullopt) {
    auto notes = nlohmann::ordered_json::parse(*bytes);
    notes["written"] = base::digest_of(text);
    if (auto noted = base::write_file(notes_path(), notes.dump(1) + "\n");
        !noted) {
      return noted;
    }
  }
  return base::write_file(file_, text);
}

base::Result<void> Fillings::leave(
    const Compiled& compiled,
    const std::optional<std::string>& file_text,
    const std::string& model) {
  const auto& refilled = compiled.refilled;
  if (refilled && !refilled->outdated.empty() && edited_) {
    if (auto kept = keep_aside(*edited_); !kept) {
      return kept;
    }
  }
  if (unread_) {
    if (auto kept = keep_aside(*unread_); !kept) {
      return kept;
    }
  }
  const std::string& text = compiled.emitted.text;
  if (auto written = base::write_file(draft_path(), text); !written) {
    return written;
  }
  auto tasks = nlohmann::ordered_json::array();
  for (const auto& task : compiled.emitted.tasks) {
    tasks.push_back(task.told);
  }
  const nlohmann::ordered_json notes = {
      {"schema", 1},
      {"fill", draft_path().filename().string()},
      {"check",
       "portwright verify " + model + " --port " +
           draft_path().filename().string() + " -o results"},
      {"then", "portwright port or compile again: fillings stay"},
      {"tasks", tasks},
      {"left", base::digest_of(text)},
      {"written", file_text ? base::digest_of(*file_text) : written_},
      {"draft", compiled.draft}};
  return base::write_file(notes_path(), notes.dump(1) + "\n");
}

nlohmann::ordered_json Fillings::to_json(
    const std::optional<emit::Refilled>& refilled) const {
  auto kept = nlohmann::ordered_json::array();
  auto outdated = nlohmann::ordered_json::array();
  auto aside = nlohmann::ordered_json::array();
  if (refilled) {
    kept = refilled->kept;
    for (const auto& [name, reason] : refilled->outdated) {
      outdated.push_back({{"name", name}, {"reason", reason}});
    }
  }
  for (const fs::path& path : aside_) {
    aside.push_back(path.string());
  }
  return {{"kept", kept}, {"outdated", outdated}, {"aside", aside}};
}

void Fillings::tell(
    const std::optional<emit::Refilled>& refilled,
    Console& console) const {
  if (refilled) {
    for (const std::string& name : refilled->kept) {
      console.say("kept what was filled in: " + name);
    }
    for (const auto& [name, reason] : refilled->outdated) {
      console.say("not taken over: " + name + " (" + reason + ")");
    }
  }
  for (const fs::path& path : aside_) {
    console.say("as it was: " + path.string());
  }
}

}  // namespace portwright::cli

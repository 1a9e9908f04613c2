#include "verify/place.h"

#include <cstdlib>

#include "base/paths.h"
#include "verify/made_of.h"

namespace portwright::verify {
namespace {

void fill_layer(
    const std::vector<std::string>& layers,
    const std::string& path,
    Place& place) {
  place.module = path;
  for (size_t i = 0; i < layers.size(); ++i) {
    if (path == layers[i]) {
      place.layer = static_cast<int>(i);
      place.module = "";
      return;
    }
    if (path.starts_with(layers[i] + ".")) {
      place.layer = static_cast<int>(i);
      place.module = path.substr(layers[i].size() + 1);
      return;
    }
  }
}

/// The class of the port that the module at `path` belongs to, its own or that
/// of the nearest one around it.
const ModuleSource*
class_around(Session& session, std::string path, std::string* leaf) {
  const auto& modules = session.candidate().modules();
  while (true) {
    const auto it = modules.find(path);
    if (it != modules.end() && it->second.in_port) {
      return &it->second;
    }
    if (path.empty()) {
      return nullptr;
    }
    *leaf = path.substr(path.rfind('.') + 1);
    path = parent_path(path);
  }
}

bool is_number(const std::string& text) {
  return text.find_first_not_of("0123456789") == std::string::npos;
}

/// The line of the class around a module that makes it.
std::optional<int> line_that_makes(Session& session, std::string path) {
  std::string leaf = path.substr(path.rfind('.') + 1);
  while (is_number(leaf) && !path.empty()) {  // of a list
    path = parent_path(path);
    leaf = path.substr(path.rfind('.') + 1);
  }
  if (path.empty()) {
    return std::nullopt;
  }
  std::string ignored;
  const auto* around = class_around(session, parent_path(path), &ignored);
  if (!around) {
    return std::nullopt;
  }
  return line_with(
      session.port_file(), "self." + leaf + " =", around->line.value_or(1));
}

/// The module's own forward; of a library's module the line that makes it.
void fill_port_lines(Session& session, const std::string& path, Place& place) {
  place.port_file = session.port_file();
  place.made_line = line_that_makes(session, path);
  place.given_line = line_of_what_it_is_made_of(session, path, place.made_line);
  std::string leaf;
  const auto* around = class_around(session, path, &leaf);
  if (!around) {
    return;
  }
  place.port_line = around->call_line ? around->call_line : around->line;
  if (!leaf.empty() && place.made_line) {
    place.port_line = place.made_line;
  }
  if (leaf.empty() && around->answer_line) {
    place.made_line = around->answer_line;
  }
  if (place.made_line == place.port_line) {
    place.made_line.reset();
  }
}

void fill_source_line(Session& session, std::string path, Place& place) {
  const auto& modules = session.reference().modules();
  while (true) {
    const auto it = modules.find(path);
    const bool ours = it != modules.end() &&
                      it->second.file.find("/torch/nn/") == std::string::npos;
    if (ours && it->second.line) {
      place.source_file = it->second.file;
      place.source_line = it->second.line;
      return;
    }
    if (path.empty()) {
      return;
    }
    path = parent_path(path);
  }
}

/// The first line with `text` of the class in which `from` lies, or which
/// begins there.
std::optional<int> line_in_class(
    const std::string& file,
    const std::string& text,
    const std::optional<int>& from) {
  if (!from) {
    return std::nullopt;
  }
  const auto line = line_with(file, text, *from);
  const auto next = line_with(file, "class ", *from + 1);
  return line && (!next || *line < *next) ? line : std::nullopt;
}

/// The file under test, also when it does not load.
std::string file_of_port(Session& session) {
  return session.port_file().empty() && session.subject().port
             ? session.subject().port->string()
             : session.port_file();
}

}  // namespace

std::string parent_path(const std::string& path) {
  const size_t dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

std::optional<int>
line_with(const std::string& file, const std::string& text, int from) {
  const auto all = base::read_file(file);
  if (!all) {
    return std::nullopt;
  }
  int line = 1;
  for (size_t at = 0; at < all->size(); ++line) {
    const size_t end = std::min(all->find('\n', at), all->size());
    const std::string_view row(all->data() + at, end - at);
    if (line >= from && row.find(text) != row.npos) {
      return line;
    }
    at = end + 1;
  }
  return std::nullopt;
}

Place place_at(
    Session& session,
    const std::string& path,
    const std::string& reference_path) {
  Place out;
  fill_layer(session.candidate_layers(), path, out);
  fill_port_lines(session, path, out);
  fill_source_line(session, reference_path, out);
  return out;
}

Place in_layer(const Session& session, const std::string& path) {
  Place out;
  fill_layer(session.candidate_layers(), path, out);
  return out;
}

Place place_at(Session& session, const std::string& path) {
  return place_at(session, path, path);
}

Place place_of_call(
    Session& session,
    const std::string& path,
    const std::string& reference_path,
    int call) {
  Place out = place_at(session, path, reference_path);
  const auto leaf = path.substr(path.rfind('.') + 1);
  const Place around = place_at(session, parent_path(path), reference_path);
  const auto& modules = session.candidate().modules();
  const auto it = modules.find(path);
  if (it == modules.end() || it->second.in_port) {
    return out;
  }
  const auto text = "self." + leaf + "(";
  auto line = line_in_class(out.port_file, text, around.port_line);
  for (int i = 1; line && i < call; ++i) {
    const auto next = line_in_class(out.port_file, text, *line + 1);
    line = next ? next : line;
  }
  if (line) {
    out.made_line = out.port_line;
    out.port_line = line;
  }
  return out;
}

Place place_of_input(Session& session, std::string path) {
  auto leaf = path.substr(path.rfind('.') + 1);
  Place out;
  fill_layer(session.candidate_layers(), path, out);
  if (out.layer && out.module.empty()) {  // one of the layers
    path = parent_path(path);
    leaf = fmt::format("layer {}", *out.layer);
    out = place_at(session, parent_path(path));
    out.tensor = "input of " + leaf;
    return out;
  }
  out = place_at(session, parent_path(path));
  out.tensor = "input of " + leaf;
  const auto call = "self." + leaf + "(";
  if (const auto line = line_in_class(out.port_file, call, out.port_line)) {
    out.port_line = line;
    out.made_line.reset();
  }
  if (const auto line = line_in_class(out.source_file, call, out.source_line)) {
    out.source_line = line;
    out.is_source_exact = true;
  }
  return out;
}

Place place_of_logits(Session& session) {
  Place out = place_at(session, "");
  out.module = "Model";
  out.tensor = "logits";
  return out;
}

void name_source_line(const Session& session, Place& place) {
  if (place.is_source_exact) {
    return;
  }
  const auto& map = session.subject().source_map;
  if (const auto it = map.find(place.port_line.value_or(0)); it != map.end()) {
    std::tie(place.source_file, place.source_line) = it->second;
  }
}

Place place_of_traceback(Session& session, const std::string& traceback) {
  Place out;
  const auto file = file_of_port(session);
  const auto entry = fmt::format("File \"{}\", line ", file);
  const size_t at = file.empty() ? traceback.npos : traceback.rfind(entry);
  if (at == traceback.npos) {
    return out;
  }
  const auto line_at = [&](size_t entry_at) {
    return std::atoi(traceback.c_str() + entry_at + entry.size());
  };
  out.port_file = file;
  out.port_line = line_at(at);
  if (const size_t caller =
          at ? traceback.rfind(entry, at - 1) : traceback.npos;
      caller != traceback.npos) {
    out.made_line = line_at(caller);
  }
  return out;
}

Place place_of_stray_module(Session& session, const std::string& path) {
  Place out;
  fill_layer(session.candidate_layers(), path, out);
  out.port_line = line_that_makes(session, path);
  out.port_file = file_of_port(session);
  // What holds it may be of another kind than in the source.
  const auto holder = parent_path(path);
  if (session.reference().modules().contains(holder)) {
    out.made_line = line_that_makes(session, holder);
    out.given_line = line_of_what_it_is_made_of(session, holder, out.made_line);
  }
  return out;
}

std::optional<int> line_of_field(Session& session, const std::string& field) {
  const auto file = file_of_port(session);
  const auto begin = line_with(file, "class ModelArgs", 1);
  const auto name = field.substr(0, field.find('.'));
  for (const auto& text : {"self." + name + " =", "self." + name, name + ":"}) {
    if (const auto line = line_in_class(file, text, begin)) {
      return line;
    }
  }
  return std::nullopt;
}

Place place_of_weight(Session& session, const std::string& tensor) {
  Place out;
  fill_layer(session.candidate_layers(), parent_path(tensor), out);
  out.tensor = tensor;
  const auto file = file_of_port(session);
  if (const auto line = line_with(file, "def sanitize(", 1)) {
    out.port_file = file;
    out.port_line = line;
  }
  return out;
}

}  // namespace portwright::verify

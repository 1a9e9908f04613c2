#include "emit/separation.h"

#include <algorithm>

#include "emit/config_text.h"
#include "emit/naming.h"
#include "emit/statements.h"

namespace portwright::emit {

namespace {

/// One instance's class, and where the instance is.
struct Placed {
  ClassText* text;
  Context* draft;
  std::string place;  // "mlp.hidden_norm" below a layer, else the whole path
  int64_t layer;      // -1: in none
};

bool same(const ClassText& a, const ClassText& b) {
  return a.init == b.init && a.call == b.call && a.methods == b.methods &&
         a.call_params == b.call_params && a.init_params == b.init_params;
}

Placed placed(Context& draft, ClassText& text) {
  const std::string& path = text.frame->path;
  const std::string prefix = draft.layers_path + ".";
  if (draft.layers_path.empty() || !path.starts_with(prefix)) {
    return {&text, &draft, path, -1};
  }
  const size_t end = std::min(path.find('.', prefix.size()), path.size() - 1);
  return {
      &text,
      &draft,
      path.substr(end + 1),
      std::atoll(path.c_str() + prefix.size())};
}

/// True where two places differ though one layer of one draft has both, or one
/// is in no layer.
bool conflict(
    const std::vector<Placed>& all,
    const std::string& a,
    const std::string& b) {
  for (const Placed& x : all) {
    for (const Placed& y : all) {
      if (x.place == a && y.place == b && x.draft == y.draft &&
          (x.layer == y.layer || x.layer < 0 || y.layer < 0) &&
          !same(*x.text, *y.text)) {
        return true;
      }
    }
  }
  return false;
}

/// Places whose instances can be of one class, the first group's keeping it.
std::vector<std::vector<std::string>> groups_of(
    const std::vector<Placed>& all) {
  std::vector<std::vector<std::string>> out;
  std::set<std::string> known;
  for (const Placed& p : all) {
    if (!known.insert(p.place).second) {
      continue;
    }
    const auto group =
        std::find_if(out.begin(), out.end(), [&](const auto& places) {
          return std::none_of(
              places.begin(), places.end(), [&](const auto& place) {
                return conflict(all, place, p.place);
              });
        });
    if (group == out.end()) {
      out.push_back({p.place});
    } else {
      group->push_back(p.place);
    }
  }
  return out;
}

/// `self.hidden_norm = RMSNorm(`, as the parent's __init__ begins the line that
/// makes an instance.
std::string* making_line(const Placed& p) {
  const std::string& path = p.text->frame->path;
  const size_t dot = path.rfind('.');
  if (dot == std::string::npos) {
    return nullptr;
  }
  const std::string line =
      "self." + path.substr(dot + 1) + " = " + p.text->name + "(";
  for (ClassText& parent : p.draft->classes) {
    if (parent.frame && parent.frame->path == path.substr(0, dot)) {
      for (std::string& text : parent.init) {
        if (text.starts_with(line)) {
          return &text;
        }
      }
    }
  }
  return nullptr;
}

void rename(const Placed& p, const std::string& name) {
  if (std::string* line = making_line(p)) {
    line->replace(line->find(" = ") + 3, p.text->name.size(), name);
    p.text->name = name;
  }
}

std::set<std::string> names_of(const std::vector<Context*>& drafts) {
  std::set<std::string> out;
  for (const Context* draft : drafts) {
    for (const ClassText& c : draft->classes) {
      out.insert(c.name);
    }
  }
  return out;
}

/// What stands in `lines` where those of another instance have the parameter;
/// "" where that is not the one difference.
std::string stands_for(
    const std::string& parameter,
    const Lines& with,
    const Lines& lines) {
  if (with.size() != lines.size()) {
    return "";
  }
  std::string out;
  for (size_t i = 0; i < with.size() && out.empty(); ++i) {
    for (const Name& name : names_in(with[i])) {
      const size_t at = name.end - name.text.size();
      // As far as the line goes on alike, to what parts arguments.
      if (name.text == parameter && out.empty() &&
          lines[i].compare(0, at, with[i], 0, at) == 0) {
        const size_t end = lines[i].find_first_of(",)", at);
        out = lines[i].substr(at, end == std::string::npos ? end : end - at);
      }
    }
  }
  for (size_t i = 0; i < with.size(); ++i) {
    if (out.empty() || renamed(with[i], {{parameter, out}}) != lines[i]) {
      return "";
    }
  }
  return out;
}

/// An instance that takes a size from the config is made as those are that are
/// given one, where that is all by which they differ.
void share_parameters(const std::vector<Placed>& all) {
  const auto given = std::find_if(all.begin(), all.end(), [&](const Placed& p) {
    return p.text->init_params.size() == 2 &&
           p.text->init_params[1].ends_with(": int");
  });
  if (given == all.end()) {
    return;
  }
  const auto& parameters = given->text->init_params;
  const std::string name = parameters[1].substr(0, parameters[1].find(':'));
  for (const Placed& p : all) {
    if (p.text->init_params.size() != 1) {
      continue;
    }
    const std::string value = stands_for(name, given->text->init, p.text->init);
    std::string* line = making_line(p);
    if (!value.empty() && line && line->ends_with(")")) {
      line->insert(line->size() - 1, ", " + name + "=" + value);
      p.text->init = given->text->init;
      p.text->init_params = parameters;
    }
  }
}

}  // namespace

void separate_classes(const std::vector<Context*>& drafts) {
  std::set<std::string> taken = names_of(drafts);
  for (const std::string& name : std::set<std::string>(taken)) {
    std::vector<Placed> all;
    for (Context* draft : drafts) {
      for (ClassText& c : draft->classes) {
        if (c.name == name && c.frame) {
          all.push_back(placed(*draft, c));
        }
      }
    }
    share_parameters(all);
    const auto groups = groups_of(all);
    for (size_t i = 1; i < groups.size(); ++i) {
      const std::string& place = groups[i].front();
      const auto own = pascal_case(place.substr(place.rfind('.') + 1));
      const bool made = std::all_of(all.begin(), all.end(), [&](const auto& p) {
        const auto& places = groups[i];
        return std::find(places.begin(), places.end(), p.place) ==
                   places.end() ||
               making_line(p);
      });
      if (!made || own.empty() || !taken.insert(own).second) {
        continue;
      }
      for (const Placed& p : all) {
        const auto& places = groups[i];
        if (std::find(places.begin(), places.end(), p.place) != places.end()) {
          rename(p, own);
        }
      }
    }
  }
}

}  // namespace portwright::emit

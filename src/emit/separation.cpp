#include "emit/separation.h"

#include <algorithm>

#include "emit/naming.h"

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

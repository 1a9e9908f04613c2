#include "emit/sharding.h"

#include <algorithm>

#include "emit/config_text.h"
#include "emit/sharding/local_names.h"
#include "emit/sharding/makers.h"
#include "emit/sharding/splits.h"

namespace portwright::emit {

using namespace sharding;

namespace {

ClassText* find_class(
    std::vector<ClassText>& classes,
    const std::string& name) {
  const auto it =
      std::find_if(classes.begin(), classes.end(), [&](const auto& c) {
        return c.name == name;
      });
  return it == classes.end() ? nullptr : &*it;
}

bool is_returning(const std::string& line) {
  const size_t at = line.find_first_not_of(' ');
  return at != std::string::npos && line.compare(at, 7, "return ") == 0;
}

/// True where one return ends the forward, of one tensor.
bool ends_in_one_answer(const ClassText& c) {
  return c.returns_tensor && !c.call.empty() &&
         c.call.back().starts_with("return ") &&
         std::count_if(c.call.begin(), c.call.end(), is_returning) == 1;
}

/// The class adds up what the machines answer.
void sum_answers(ClassText& c) {
  constexpr const char* kShared = "if self.sharding_group is not None:";
  c.init.emplace_back("self.sharding_group = None");
  const std::string input = c.call_params.front().substr(
      0, c.call_params.front().find_first_of(":="));
  std::string answer = c.call.back().substr(std::string("return ").size());
  c.call.pop_back();
  if (!is_name(answer)) {
    std::string name = "y";
    for (const std::string& line : c.call) {
      name = line.find("y = ") != std::string::npos ? "out" : name;
    }
    c.call.push_back(name + " = " + answer);
    answer = name;
  }
  c.call.insert(
      c.call.begin(),
      {kShared,
       "    " + input + " = sum_gradients(self.sharding_group)(" + input + ")",
       ""});
  c.call.insert(
      c.call.end(),
      {"",
       kShared,
       "    " + answer + " = mx.distributed.all_sum(" + answer +
           ", group=self.sharding_group)",
       "",
       "return " + answer});
}

/// The entries of a map by the place of their values.
template <typename Map>
std::vector<const typename Map::value_type*> in_order(const Map& map) {
  std::vector<const typename Map::value_type*> out;
  for (const auto& entry : map) {
    out.push_back(&entry);
  }
  std::sort(out.begin(), out.end(), [](const auto* a, const auto* b) {
    return a->second.place < b->second.place;
  });
  return out;
}

std::string on(const std::string& unit, std::string text) {
  for (size_t at = 0; (at = text.find("self.", at)) != std::string::npos;) {
    text.replace(at, 5, unit + ".");
    at += unit.size() + 1;
  }
  return text;
}

class Method {
 public:
  explicit Method(std::vector<ClassText>& classes) : classes_(classes) {}

  Sharding write(const std::string& layers_path) {
    const auto layers = layer_classes();
    for (ClassText* layer : layers) {
      auto lines = of_layer(*layer);
      if (layers.size() > 1 && !lines.empty()) {
        indent(lines);
        lines.insert(
            lines.begin(), "if isinstance(layer, " + layer->name + "):");
      }
      body_.insert(body_.end(), lines.begin(), lines.end());
    }
    if (body_.empty()) {
      return {};
    }
    constexpr size_t kColumn = 12;  // in a loop of a method
    use_local_names(body_, kColumn);
    std::string text =
        "def shard(self, group: Optional[mx.distributed.Group] = None):\n"
        "    group = group or mx.distributed.init()\n";
    if (counts_) {
      text += "    N = group.size()\n";
    }
    text += "    for layer in self." + layers_path + ":\n";
    for (const auto& line : body_) {
      text += "        " + line + "\n";
    }
    return {std::move(text), std::move(functions_)};
  }

 private:
  using Lines = std::vector<std::string>;

  static void indent(Lines& lines) {
    for (auto& line : lines) {
      line = "    " + line;
    }
  }

  /// The classes that the one list of layers is made of.
  std::vector<ClassText*> layer_classes() {
    std::vector<ClassText*> out;
    for (const ClassText& c : classes_) {
      for (const auto& [name, made] : makers_of(c)) {
        std::vector<ClassText*> found;
        for (const auto& maker : made.makers) {
          if (ClassText* of =
                  made.list ? find_class(classes_, maker) : nullptr) {
            found.push_back(of);
          }
        }
        if (!found.empty() && !out.empty()) {
          return {};
        }
        out.insert(out.end(), found.begin(), found.end());
      }
    }
    return out;
  }

  Lines of_layer(const ClassText& layer) {
    Lines out;
    const Makers makers = makers_of(layer);
    for (const auto* entry : in_order(makers)) {
      const Lines lines = of_attribute(entry->first, entry->second);
      out.insert(out.end(), lines.begin(), lines.end());
    }
    return out;
  }

  Lines of_attribute(const std::string& name, const Made& made) {
    const bool choice = made.makers.size() > 1;
    if (made.several && (choice || !made.always)) {
      return {};
    }
    const std::string path = "layer." + name;
    Lines out;
    for (const auto& maker : made.makers) {
      ClassText* text = find_class(classes_, maker);
      Lines lines =
          text ? of_unit(*text, made.several ? "module" : path) : Lines{};
      if (lines.empty()) {
        continue;
      }
      std::string head;
      if (made.several) {
        head = "for module in " + path + ":";
      } else if (choice) {
        head = "if isinstance(" +
               (made.always ? path : "layer.get(\"" + name + "\")") + ", " +
               maker + "):";
      } else if (!made.always) {
        head = "if \"" + name + "\" in layer:";
      }
      if (!head.empty()) {
        indent(lines);
        lines.insert(lines.begin(), std::move(head));
      }
      out.insert(out.end(), lines.begin(), lines.end());
    }
    return out;
  }

  Lines of_unit(ClassText& text, const std::string& unit) {
    const auto known = summing_.contains(text.name);
    auto splits = known ? summing_.at(text.name) : find_splits(classes_, text);
    if (!splits || (splits->sums && !known && !ends_in_one_answer(text))) {
      return {};
    }
    Lines out;
    if (splits->sums) {
      if (!known) {
        summing_.emplace(text.name, splits);
        sum_answers(text);
        functions_.insert("sum_gradients");
      }
      out.push_back(unit + ".sharding_group = group");
    }
    const Makers makers = makers_of(text);
    const auto layers = in_order(splits->layers);
    for (auto it = layers.begin(); it != layers.end();) {
      const std::string attribute = first_name((*it)->first);
      Lines lines;
      for (; it != layers.end() && first_name((*it)->first) == attribute;
           ++it) {
        const auto& [path, layer] = **it;
        const Lines one = of_linear(unit + "." + path, layer, unit);
        lines.insert(lines.end(), one.begin(), one.end());
      }
      add_where_made(out, std::move(lines), makers, attribute, unit);
    }
    for (const auto& weight : splits->sliced) {
      const std::string whole = unit + "." + weight;
      Lines lines{whole + " = mx.split(" + whole + ", N)[group.rank()]"};
      add_where_made(out, std::move(lines), makers, weight, unit);
      counts_ = true;
    }
    for (const auto& attribute : splits->divided) {
      out.push_back(unit + "." + attribute + " //= N");
      counts_ = true;
    }
    return out;
  }

  static std::string first_name(const std::string& path) {
    return path.substr(0, path.find('.'));
  }

  /// The config may leave it out.
  static void add_where_made(
      Lines& out,
      Lines lines,
      const Makers& makers,
      const std::string& attribute,
      const std::string& unit) {
    const auto made = makers.find(attribute);
    if (made != makers.end() && !made->second.always) {
      indent(lines);
      lines.insert(lines.begin(), "if \"" + attribute + "\" in " + unit + ":");
    }
    out.insert(out.end(), lines.begin(), lines.end());
  }

  Lines of_linear(
      const std::string& path,
      const Splits::Layer& layer,
      const std::string& unit) {
    using Style = Splits::Style;
    Lines out;
    const auto in_place = [&](const std::string& at, const char* sharding) {
      functions_.insert("shard_inplace");
      out.push_back(
          "shard_inplace(" + at + ", \"" + sharding + "\"" +
          segments(layer, unit) + ", group=group)");
    };
    const char* sharding =
        layer.style == Style::Columns ? "all-to-sharded" : "sharded-to-all";
    if (layer.style == Style::Heads) {
      // Quantized, it has scales and biases by head too.
      out.push_back(path + ".apply(lambda w: mx.split(w, N)[group.rank()])");
      counts_ = true;
      return out;
    }
    std::string summed = layer.style == Style::Rows ? path : "";
    if (layer.style == Style::Experts) {
      in_place(path + ".gate_proj", "all-to-sharded");
      in_place(path + ".up_proj", "all-to-sharded");
      in_place(path + ".down_proj", "sharded-to-all");
      summed = path + ".down_proj";
    } else if (layer.in_place) {
      in_place(path, sharding);
    } else {
      functions_.insert("shard_linear");
      out.push_back(
          path + " = shard_linear(" + path + ", \"" + sharding + "\"" +
          segments(layer, unit) + ", group=group)");
    }
    if (layer.in_place && layer.bias && !summed.empty()) {
      out.push_back("if \"bias\" in " + summed + ":");
      out.push_back("    " + summed + ".bias /= N");
      counts_ = true;
    }
    return out;
  }

  static std::string segments(
      const Splits::Layer& layer,
      const std::string& unit) {
    return layer.segments.empty() ? ""
                                  : ", segments=" + on(unit, layer.segments);
  }

  std::vector<ClassText>& classes_;
  /// Classes that sum up, as they were found before they did.
  std::map<std::string, std::optional<Splits>> summing_;
  Lines body_;
  std::set<std::string> functions_;
  bool counts_ = false;
};

}  // namespace

Sharding write_sharding(
    std::vector<ClassText>& classes,
    const std::string& layers_path) {
  return Method(classes).write(layers_path);
}

}  // namespace portwright::emit

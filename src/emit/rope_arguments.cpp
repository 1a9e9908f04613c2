#include "emit/rope_arguments.h"

#include "emit/expression.h"
#include "emit/rope_config.h"
#include "emit/yarn_magnitude.h"

namespace portwright::emit {

using eval::Value;
using nlohmann::json;

bool uses_library_types(const Context& context) {
  constexpr const char* kChoice = "ROPE_INIT_FUNCTIONS";
  const bool turns = !context.rope_types.empty();
  const auto chooses = [&](const eval::Class* cls) {
    const auto* file = cls->span.file;
    const auto text = turns && file ? file->text() : cls->span.text();
    return text.find(kChoice) != std::string_view::npos;
  };
  return std::any_of(
      context.trace.modules.begin(),
      context.trace.modules.end(),
      [&](const auto& entry) {
        const auto& mro = entry.second.object()->cls->mro;
        return std::any_of(mro.begin(), mro.end(), chooses);
      });
}

namespace {

std::string quoted(const std::string& text) {
  return "\"" + text + "\"";
}

std::string number(double value) {
  std::string text = fmt::format("{}", value);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

class ArgumentWriter {
 public:
  ArgumentWriter(
      Context& context,
      Configs& configs,
      std::string& fields,
      std::vector<std::string>& body,
      std::vector<std::string>& guards)
      : context_(context),
        reader_(context, configs),
        fields_(fields),
        body_(body),
        guards_(guards) {}

  void flat(bool partial) {
    find_types();
    const std::string theta = field("rope_theta", 10000.0);
    fields_ += "    rope_scaling: Optional[Dict[str, Any]] = None\n"
               "    rope_parameters: Optional[Dict[str, Any]] = None\n";
    const std::string factor =
        partial ? field("partial_rotary_factor", default_partial()) : "";
    const std::string original = original_field();
    const auto own = reader_.replaced({"rope_theta", "partial_rotary_factor"});
    const auto given = [&](const std::string& name, const std::string& flat) {
      return "self." + name + " = " +
             (own.contains(name) ? flat
                                 : "rope.get(\"" + name + "\", " + flat + ")");
    };
    add(
        {std::string("rope = ") +
             (reads_scaling() ? "self.rope_scaling or " : "") +
             "self.rope_parameters or " + reader_.own_set(unread_),
         given("rope_theta", theta)});
    if (partial) {
      add({given("partial_rotary_factor", factor)});
    }
    checks("");
    refuse_one_pair(partial);
    add({"self.rope_scaling = " + completed(original)});
  }

  /// Where pairs lie side by side, the angles of a part that is one pair are
  /// those of all pairs: torch broadcasts them. Of more it raises.
  void refuse_one_pair(bool partial) {
    const std::string form = "one pair of angles";
    const auto side_by_side = [](const std::string& line) {
      return line.find("traditional=True") != std::string::npos;
    };
    const bool pairs = std::any_of(
        context_.classes.begin(), context_.classes.end(), [&](const auto& c) {
          return std::any_of(c.init.begin(), c.init.end(), side_by_side);
        });
    if (context_.left_ropes.contains(form) && partial) {
      add(
          {"if self.partial_rotary_factor != 1:",
           "    raise ValueError(\"partial_rotary_factor is not supported\")"});
      guards_.push_back("partial_rotary_factor");
    } else if (context_.left_ropes.contains(form)) {
      const std::string part = field("partial_rotary_factor", 1);
      add(
          {"part = rope.get(\"partial_rotary_factor\", " + part + ")",
           "if rope_type != \"default\" and part != 1:",
           "    raise ValueError(f\"{rope_type} with partial_rotary_factor is "
           "not supported\")"});
      guards_.push_back("partial_rotary_factor");
    } else if (pairs && types_.contains("linear")) {
      ToldRope& told = context_.told_ropes[form];
      for (const double part : {0.25, 0.125, 0.0625, 0.03125, 0.5}) {
        told.configs.push_back(
            reader_.with_type("linear", {{"partial_rotary_factor", part}}));
      }
    }
  }

  /// For a port that takes no rotary parameters from there: a set of another
  /// type would have turned the source's rope into another.
  void only_types() {
    fields_ += "    rope_scaling: Optional[Dict[str, Any]] = None\n"
               "    rope_parameters: Optional[Dict[str, Any]] = None\n";
    types_ = context_.rope_types;
    if (types_.empty()) {
      types_.insert("default");
    }
    add({"rope = self.rope_scaling or self.rope_parameters or {}"});
    checks("");
  }

  void by_kind() {
    find_types();
    fields_ += "    rope_parameters: Optional[Dict[str, Any]] = None\n";
    const std::string defaults = sets_by_kind();
    if (defaults.empty()) {
      add(
          {"if self.rope_parameters is None:",
           "    raise ValueError(\"config.json must give rope_parameters\")",
           "rope_parameters = self.rope_parameters"});
    } else {
      add({"rope_parameters = self.rope_parameters or " + defaults});
    }
    // A kind may have none, and transformers up to 5.10 writes a rope_type
    // beside the kinds.
    add(
        {"self.rope_parameters = {}",
         "for kind, rope in rope_parameters.items():",
         "    if not isinstance(rope, dict):",
         "        continue"});
    if (reads_part()) {
      add(
          {"    if \"partial_rotary_factor\" not in rope:",
           "        raise ValueError(\"config.json must give "
           "partial_rotary_factor\")"});
      guards_.push_back("a config without partial_rotary_factor");
    }
    checks("    ");
    add({"    self.rope_parameters[kind] = " + completed("")});
  }

 private:
  static constexpr double kUnusualFactor = 7.25;

  /// Those that were seen, and those of the library that the config class
  /// takes. mlx_lm's dynamic one knows no batches.
  void find_types() {
    types_ = context_.rope_types;
    if (!context_.rope_fixed && uses_library_types(context_)) {
      for (const char* type : kLibraryTypes) {
        if (!types_.contains(type) && !context_.left_ropes.contains(type) &&
            reader_.takes(type)) {
          types_.insert(type);
          context_.told_ropes[type] = reader_.told(type);
        }
      }
    }
    if (types_.contains("dynamic")) {
      context_.own_ropes.insert("dynamic");
    }
    scales_ = types_ != std::set<std::string>{"default"};
  }

  /// True where the file reads a kind's part that is turned, and the source has
  /// no other for it.
  bool reads_part() const {
    const auto reads = [](const std::string& line) {
      return line.find("[\"partial_rotary_factor\"]") != std::string::npos;
    };
    return std::any_of(
        context_.classes.begin(), context_.classes.end(), [&](const auto& c) {
          return std::any_of(c.init.begin(), c.init.end(), reads);
        });
  }

  void add(std::initializer_list<std::string> lines) {
    body_.insert(body_.end(), lines.begin(), lines.end());
  }

  /// A field under the names that the config class reads, and how it is read;
  /// a number where it reads none.
  std::string field(const char* parameter, double fallback) {
    auto names = reader_.keys_of(parameter, reader_.bare());
    const bool read = !names.empty();
    if (!read) {
      names = reader_.keys_of(parameter, reader_.scaled());
    }
    const bool only_scaled = !read && !names.empty();
    const Value set =
        reader_.parameters(only_scaled ? reader_.scaled() : reader_.bare());
    const std::string value =
        number(RopeConfig::number_in(set, parameter).value_or(fallback));
    if (names.empty()) {
      return value;
    }
    if (only_scaled) {
      unread_.insert(parameter);
    }
    const auto own = std::find(names.begin(), names.end(), parameter);
    if (own != names.end()) {
      std::rotate(names.begin(), own, own + 1);
    }
    // The last of them that is given decides.
    for (size_t i = 0; i + 1 < names.size(); ++i) {
      if (reader_.is_above(parameter, names[i], names[i + 1])) {
        std::swap(names[i], names[i + 1]);
      }
    }
    fields_ += "    " + names[0] + ": float = " + value + "\n";
    for (size_t i = 1; i < names.size(); ++i) {
      fields_ += "    " + names[i] + ": Optional[float] = None\n";
      add(
          {"if self." + names[i] + " is not None:",
           "    self." + names[0] + " = self." + names[i]});
    }
    return "self." + names[0];
  }

  /// What the source takes where the config gives no part of a head.
  double default_partial() const {
    const auto known = context_.defaults.find("partial_rotary_factor");
    return known == context_.defaults.end()
               ? 1.0
               : std::strtod(known->second.text.c_str(), nullptr);
  }

  /// A field of the config that stands above the one in the set.
  std::string original_field() {
    const char* name = "original_max_position_embeddings";
    const Value own =
        context_.interp.try_getattr(context_.evaluation.config, name);
    if (!scales_ || !own.is_number()) {
      return "";
    }
    const Value declared =
        context_.evaluation.config.object()->cls->lookup(base::Symbol(name))
            ? *context_.evaluation.config.object()->cls->lookup(
                  base::Symbol(name))
            : Value::none();
    fields_ +=
        "    " + std::string(name) +
        (declared.is_number() ? ": int = " + literal(context_.interp, declared)
                              : std::string(": Optional[int] = None")) +
        "\n";
    return declared.is_number() ? "self." + std::string(name) : "";
  }

  /// A set of parameters with its defaults, and its type where mlx-lm looks.
  std::string completed(const std::string& original) const {
    if (!scales_) {
      return "{**rope, \"type\": rope_type}";
    }
    const std::string key = "\"original_max_position_embeddings\": ";
    return original.empty()
               ? "{" + key +
                     "self.max_position_embeddings, **rope, "
                     "\"type\": rope_type}"
               : "{**rope, " + key + original + ", \"type\": rope_type}";
  }

  void checks(const std::string& indent) {
    std::vector<std::string> names;
    for (const auto& type : types_) {
      names.push_back(quoted(type));
    }
    const std::string allowed =
        names.size() == 1 ? "!= " + names[0] : "not in (" + join(names) + ")";
    add(
        {indent + "rope_type = rope.get(\"rope_type\", rope.get(\"type\", "
                  "\"default\"))",
         indent + "if rope_type " + allowed + ":",
         indent + "    raise ValueError(f\"rope type {rope_type} is not "
                  "supported\")"});
    guards_.push_back(
        "rope types other than " +
        join(std::vector<std::string>(types_.begin(), types_.end())));
    if (!types_.contains("yarn") || context_.own_ropes.contains("yarn")) {
      return;
    }
    // YarnRoPE truncates, and scales by 0.1 * mscale * log(factor) + 1 over the
    // same with mscale_all_dim, of which each goes without the other.
    const std::string yarn = indent + "if rope_type == \"yarn\" and ";
    const std::string given = "rope.get(\"attention_factor\") is not None:";
    add(
        {yarn + "not rope.get(\"truncate\", True):",
         indent + "    raise ValueError(\"yarn without truncate is not "
                  "supported\")"});
    guards_.push_back("yarn without truncate");
    const bool reads = reads_yarn_magnitude(context_.evaluation);
    if (reads && context_.yarn_mscale) {
      one_mscale(indent);
      add(
          {yarn + given,
           indent + "    raise ValueError(\"yarn with attention_factor is not "
                    "supported\")"});
      guards_.push_back("yarn with attention_factor");
      return;
    }
    // What the source makes of them itself is known where it was met alone.
    const bool strict = reads || context_.rope_fixed;
    if (strict) {
      add(
          {indent + "if rope.get(\"mscale\") or rope.get(\"mscale_all_dim\"):",
           indent + "    raise ValueError(\"yarn with mscale is not "
                    "supported\")"});
      guards_.push_back("yarn with mscale");
    }
    add(
        {yarn + given,
         indent + "    mscale = (rope[\"attention_factor\"] - 1) / (0.1 * "
                  "math.log(rope[\"factor\"]))",
         indent + "    rope = {**rope, \"mscale\": mscale, "
                  "\"mscale_all_dim\": 0}"});
    if (!strict) {
      add(
          {indent + "elif not (rope.get(\"mscale\") and "
                    "rope.get(\"mscale_all_dim\")):",
           indent + "    rope = {**rope, \"mscale\": 1, "
                    "\"mscale_all_dim\": 0}"});
    }
  }

  /// Beside no mscale the magnitude is that of 1, and mscale_all_dim scales the
  /// scores all the same: with n for it, YarnRoPE comes to (1 + l) * (1 + l *
  /// n) over 1 + l * n, where l = 0.1 * log(factor).
  void one_mscale(const std::string& indent) {
    const std::string form = "yarn with mscale_all_dim alone";
    if (context_.left_ropes.contains(form)) {
      add(
          {indent + "if bool(rope.get(\"mscale\")) != "
                    "bool(rope.get(\"mscale_all_dim\")):",
           indent + "    raise ValueError(\"mscale and mscale_all_dim go "
                    "together\")"});
      return;
    }
    context_.told_ropes[form] = {
        {reader_.with_type("yarn", {{"mscale_all_dim", 0.75}})}};
    add(
        {indent + "all_dim = rope.get(\"mscale_all_dim\") or 0",
         indent + "if not (all_dim and rope.get(\"mscale\")):",
         indent + "    mscale = 1 + all_dim + 0.1 * all_dim * "
                  "math.log(rope.get(\"factor\", 1))",
         indent + "    rope = {**rope, \"mscale\": mscale, "
                  "\"mscale_all_dim\": all_dim}"});
  }

  /// The sets of a config without rope_parameters, from its flat fields.
  std::string sets_by_kind() {
    std::map<std::string, double> thetas;
    std::string out, scaling = scaled_kinds().empty() ? "" : "rope_scaling";
    for (const auto& kind : context_.rope_kinds) {
      const Value set = reader_.parameters(reader_.bare(), kind);
      const auto theta = RopeConfig::number_in(set, "rope_theta");
      if (!theta) {
        return "";
      }
      const auto keys = reader_.keys_of("rope_theta", reader_.bare(), kind);
      std::string items;
      for (const auto& e : RopeConfig::entries_of(set)) {
        const std::string& name = e.key.str();
        std::string text = context_.interp.repr(e.value);
        if (name == "rope_theta" && !keys.empty()) {
          const auto known = thetas.emplace(keys.front(), *theta);
          if (known.first->second != *theta) {
            return "";
          }
          text = "self." + keys.front();
        }
        items += (items.empty() ? "" : ", ") + quoted(name) + ": " + text;
      }
      if (scaled_kinds().contains(kind)) {
        items += ", **(self.rope_scaling or {})";
      }
      out += (out.empty() ? "" : ", ") + quoted(kind) + ": {" + items + "}";
    }
    for (const auto& [name, theta] : thetas) {
      fields_ += "    " + name + ": float = " + number(theta) + "\n";
    }
    fields_ += "    rope_scaling: Optional[Dict[str, Any]] = None\n";
    if (scaling.empty()) {
      add(
          {"if self.rope_scaling is not None:",
           "    raise ValueError(\"rope_scaling needs rope_parameters by layer "
           "kind\")"});
    }
    return out.empty() ? "" : "{" + out + "}";
  }

  /// Some classes make their set before they are given a flat rope_scaling, and
  /// go on with theirs.
  bool reads_scaling() const {
    if (!scales_) {
      return true;  // any type but the default is refused
    }
    json with = reader_.bare();
    with["rope_scaling"] = {
        {"rope_type", "linear"}, {"factor", kUnusualFactor}};
    const Value made = reader_.parameters(with);
    return !made.is(eval::Kind::Dict) ||  // refused, thus read
           RopeConfig::number_in(made, "factor") == kUnusualFactor;
  }

  /// The kinds that a flat rope_scaling reaches.
  const std::set<std::string>& scaled_kinds() {
    if (!scaled_) {
      scaled_.emplace();
      json with = reader_.bare();
      with["rope_scaling"] = {
          {"rope_type", "linear"}, {"factor", kUnusualFactor}};
      for (const auto& kind : context_.rope_kinds) {
        if (RopeConfig::number_in(reader_.parameters(with, kind), "factor") ==
            kUnusualFactor) {
          scaled_->insert(kind);
        }
      }
    }
    return *scaled_;
  }

  Context& context_;
  RopeConfig reader_;
  std::string& fields_;
  std::vector<std::string>& body_;
  std::vector<std::string>& guards_;
  std::set<std::string> types_;
  /// Parameters whose flat fields only a config with rope_scaling reads.
  std::set<std::string> unread_;
  bool scales_ = false;  // some type reads the original length
  std::optional<std::set<std::string>> scaled_;
};

}  // namespace

void write_rope_arguments(
    Context& context,
    Configs& configs,
    bool partial,
    std::string& fields,
    std::vector<std::string>& body,
    std::vector<std::string>& guards) {
  ArgumentWriter writer(context, configs, fields, body, guards);
  if (context.rope_by_kind) {
    writer.by_kind();
  } else if (context.fields.contains("rope_theta")) {
    writer.flat(partial);
  } else if (uses_library_types(context)) {
    writer.only_types();
  }
}

}  // namespace portwright::emit

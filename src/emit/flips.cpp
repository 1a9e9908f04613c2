#include "emit/flips.h"

#include <functional>

#include "emit/config_class.h"

namespace portwright::emit {

using eval::Provenance;
using eval::Value;
using nlohmann::json;

namespace {

/// The literals that a condition compares with.
std::vector<json> literals(const Provenance* condition) {
  std::vector<json> out;
  std::function<void(const Provenance*)> visit = [&](const Provenance* p) {
    if (!p) {
      return;
    }
    if (p->kind == Provenance::Kind::Constant && p->text.size() > 1 &&
        (p->text.front() == '\'' || p->text.front() == '"')) {
      out.push_back(p->text.substr(1, p->text.size() - 2));
    } else if (p->kind == Provenance::Kind::Constant) {
      const json number = json::parse(p->text, nullptr, false);
      if (number.is_number()) {
        out.push_back(number);
      }
    }
    visit(p->left);
    visit(p->right);
    visit(p->test);
  };
  visit(condition);
  return out;
}

/// A field set to something else; null erases nothing, it is None.
using Edit = std::vector<std::pair<std::string, json>>;

class Search {
 public:
  Search(
      eval::Interpreter& interp,
      Predicates& predicates,
      const json& config,
      int predicate,
      Truth wanted)
      : interp_(interp),
        predicates_(predicates),
        config_(config),
        predicate_(predicate),
        wanted_(wanted) {}

  void run(const std::function<bool(const json&)>& take) {
    loaded_ = predicates_.configs()(config_);
    if (!loaded_.defined()) {
      return;
    }
    const Predicate& predicate = predicates_.at(predicate_);
    std::vector<Edit> edits;
    for (const auto& field : predicate.reads.fields) {
      if (field.find('.') == std::string::npos) {
        for (json& value : values(field)) {
          edits.push_back({{field, std::move(value)}});
        }
      }
    }
    add_companions(predicate.reads.fields, edits);
    add_missing_numbers(edits);
    size_t tried = 0;
    for (const Edit& edit : edits) {
      json candidate = config_;
      for (const auto& [field, value] : edit) {
        candidate[field] = value;
      }
      if (candidate != config_ && fits(candidate) &&
          (take(candidate) || ++tried == kEnough)) {
        return;
      }
    }
  }

 private:
  static constexpr size_t kEnough = 8;
  /// For a window or a size where there was none: tiny models go past it.
  static constexpr int kSmall = 8;
  /// Numbers that a feature may need.
  static constexpr int kMost = 6;

  bool fits(const json& candidate) {
    const Value config = predicates_.configs()(candidate);
    if (!config.defined()) {
      return false;
    }
    if (!predicates_.at(predicate_).reads.loop) {
      return predicates_.truth(predicate_, config, -1) == wanted_;
    }
    for (int64_t layer = 0; layer < layers(config); ++layer) {
      if (predicates_.truth(predicate_, config, layer) == wanted_) {
        return true;
      }
    }
    return false;
  }

  int64_t layers(const Value& config) {
    const Value n = interp_.try_getattr(config, "num_hidden_layers");
    return n.is_int() ? n.as_int() : 0;
  }

  /// The condition is a field's own truth.
  bool is_bare() const {
    return predicates_.at(predicate_).condition->kind ==
           Provenance::Kind::Config;
  }

  /// What else a field could hold.
  std::vector<json> values(const std::string& field) {
    const Value now = interp_.try_getattr(loaded_, field);
    const ConfigField declared = config_field(*loaded_.object()->cls, field);
    const auto mentions = [&](const char* type) {
      return declared.annotation.find(type) != std::string::npos;
    };
    std::vector<json> out;
    if (!now.defined()) {
      return out;
    }
    if (now.is_bool()) {
      out.push_back(!now.as_bool());
      return out;
    }
    const auto compared = literals(predicates_.at(predicate_).condition);
    if (now.is_str()) {
      for (const json& value : compared) {
        if (value.is_string()) {
          out.push_back(value);
        }
      }
      return out;
    }
    if (now.is(eval::Kind::List)) {
      return lists(now, compared);
    }
    if (now.is_none()) {
      const bool untyped = declared.annotation.empty() || mentions("Any");
      if (untyped || mentions("str")) {
        for (const json& value : compared) {
          if (value.is_string()) {
            out.push_back(value);
          }
        }
      }
      if (mentions("bool")) {
        out.push_back(true);
      }
      if (mentions("list") || mentions("List")) {
        out.push_back(json::array({0}));
      } else {
        if (mentions("int") || untyped) {
          out.insert(out.end(), {kSmall, 3, 1});
        }
        if (declared.default_value.is_int() &&
            !declared.default_value.is_bool()) {
          out.push_back(declared.default_value.as_int());
        }
        if (mentions("float") || untyped) {
          out.insert(out.end(), {0.5, 1.0});
        }
      }
      return out;
    }
    if (now.is_number() && is_bare()) {
      const bool optional = mentions("None") || mentions("Optional");
      if (optional) {
        out.push_back(nullptr);
      }
      out.push_back(now.is_int() ? json(0) : json(0.0));
      return out;
    }
    if (now.is_number()) {
      if (mentions("None") || mentions("Optional") ||
          declared.annotation.empty()) {
        out.push_back(nullptr);
      }
      for (const json& value : compared) {
        if (value.is_number() && now.is_int() && value.is_number_integer()) {
          const auto n = value.get<int64_t>();
          out.insert(out.end(), {n, n + 1, n - 1});
        } else if (value.is_number() && !now.is_int()) {
          out.push_back(value.get<double>());
          out.push_back(value.get<double>() + 0.5);
        }
      }
      if (now.is_int()) {
        const int64_t n = now.as_int();
        out.insert(
            out.end(), {json(1), json(2), json(0), json(n + 1), json(n * 2)});
      } else {
        out.insert(out.end(), {json(0.0), json(1.0), json(0.5)});
      }
    }
    return out;
  }

  /// Kinds by layer, or numbers of layers.
  std::vector<json> lists(const Value& now, const std::vector<json>& compared) {
    std::vector<json> out;
    const int64_t n = layers(loaded_);
    std::vector<json> kinds;
    for (const Value& v : now.get<eval::List>()->items) {
      if (v.is_str() &&
          std::find(kinds.begin(), kinds.end(), json(v.str())) == kinds.end()) {
        kinds.push_back(v.str());
      }
    }
    if (kinds.empty()) {
      json all = json::array();
      for (int64_t i = 0; i < n; ++i) {
        all.push_back(i);
      }
      out.insert(out.end(), {json::array({0}), json::array(), all});
      return out;
    }
    for (const json& value : compared) {
      if (value.is_string() &&
          std::find(kinds.begin(), kinds.end(), value) == kinds.end()) {
        kinds.push_back(value);
      }
    }
    if (kinds.size() == 1) {
      kinds.push_back(
          kinds.front() == "full_attention" ? "sliding_attention"
                                            : "full_attention");
    }
    // Mixed first: it shows both sides at once.
    json mixed = json::array();
    for (int64_t i = 0; i < n; ++i) {
      mixed.push_back(kinds[i % kinds.size()]);
    }
    out.push_back(mixed);
    for (const json& kind : kinds) {
      json all = json::array();
      for (int64_t i = 0; i < n; ++i) {
        all.push_back(kind);
      }
      out.push_back(all);
    }
    return out;
  }

  /// Fields from which the config class computes those read, with them changed,
  /// too, and changed alone: all at once is likelier than one. Sizes are left
  /// where a size's own truth is asked: what is computed from others is not 0.
  void add_companions(
      const std::set<std::string>& fields,
      std::vector<Edit>& edits) {
    const std::vector<Edit> alone = edits;
    Edit all, numbers;
    const bool sizes =
        !(is_bare() && interp_.try_getattr(loaded_, *fields.begin()).is_int());
    for (const auto& companion : companions(fields)) {
      const Value now = interp_.try_getattr(loaded_, companion);
      const auto& annotation =
          config_field(*loaded_.object()->cls, companion).annotation;
      if (now.is_bool()) {
        all.emplace_back(companion, !now.as_bool());
      } else if (now.is_int()) {
        if (sizes) {
          numbers.emplace_back(companion, 1);
        }
      } else if (now.is_none() && annotation.find("int") != annotation.npos) {
        numbers.emplace_back(companion, kSmall);
      }
    }
    all.insert(all.end(), numbers.begin(), numbers.end());
    if (all.empty()) {
      return;
    }
    auto with = [&](const Edit& more) {
      for (Edit edit : alone) {
        edit.insert(edit.end(), more.begin(), more.end());
        edits.push_back(std::move(edit));
      }
      edits.push_back(more);
    };
    with(all);
    for (size_t i = 0; all.size() > 1 && i < all.size(); ++i) {
      with({all[i]});
    }
  }

  /// What is switched on may need numbers that a config without it leaves out,
  /// as of experts and of those chosen: all of them, or all but one that
  /// something else has. The first ones declared are the largest.
  void add_missing_numbers(std::vector<Edit>& edits) {
    if (!is_bare() || wanted_ != Truth::True || edits.empty()) {
      return;
    }
    const Edit on = edits.front();
    Edit numbers;
    constexpr int kStep = 2;
    int number = kSmall + kMost * kStep;
    for (const auto& field : declared_fields(*loaded_.object()->cls)) {
      const auto& annotation =
          config_field(*loaded_.object()->cls, field).annotation;
      if (numbers.size() < size_t{kMost} && !field.ends_with("token_id") &&
          annotation.find("int") != annotation.npos &&
          annotation.find("None") != annotation.npos &&
          interp_.try_getattr(loaded_, field).is_none()) {
        numbers.emplace_back(field, number -= kStep);
      }
    }
    for (size_t left = 0; left <= numbers.size() && !numbers.empty(); ++left) {
      Edit edit = on;
      for (size_t i = 0; i < numbers.size(); ++i) {
        if (i + 1 != left) {
          edit.push_back(numbers[i]);
        }
      }
      edits.push_back(std::move(edit));
    }
  }

  std::set<std::string> companions(const std::set<std::string>& fields) {
    std::set<std::string> found = fields;
    const auto statements = config_statements(*loaded_.object()->cls);
    for (size_t known = 0; known != found.size();) {
      known = found.size();
      for (const ConfigStatement& s : statements) {
        for (const auto& field : s.assigned) {
          if (found.contains(field)) {
            found.insert(s.fields.begin(), s.fields.end());
            break;
          }
        }
      }
    }
    for (const auto& field : fields) {
      found.erase(field);
    }
    found.erase("num_hidden_layers");
    return found;
  }

  eval::Interpreter& interp_;
  Predicates& predicates_;
  const json& config_;
  int predicate_;
  Truth wanted_;
  Value loaded_;
};

}  // namespace

void flips(
    eval::Interpreter& interp,
    Predicates& predicates,
    const json& config,
    int predicate,
    Truth wanted,
    const std::function<bool(const json&)>& take) {
  Search(interp, predicates, config, predicate, wanted).run(take);
}

}  // namespace portwright::emit

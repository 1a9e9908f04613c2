#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "emit/configs.h"
#include "emit/context.h"

namespace portwright::emit {

/// What the config class makes of rotary fields, found by giving it some.
/// Refers to the context and the configs.
class RopeConfig {
 public:
  RopeConfig(Context& context, Configs& configs);

  /// The config without any rotary field.
  const nlohmann::json& bare() const {
    return bare_;
  }
  /// With a flat rope_scaling and nothing else: a class may have a set of its
  /// own for configs that have none, whose flat fields it then does not read.
  const nlohmann::json& scaled() const {
    return scaled_;
  }

  /// The rotary parameters of a config; of one kind of layer, when that is
  /// given. Undefined when the class refuses the config or has no such set.
  eval::Value parameters(
      const nlohmann::json& config,
      const std::string& kind = "") const;

  /// The names under which a flat field of `config` reaches `parameter`.
  std::vector<std::string> keys_of(
      const char* parameter,
      const nlohmann::json& config,
      const std::string& kind = "") const;

  /// True when a flat field stands above another that reaches `parameter` too.
  bool is_above(
      const char* parameter,
      const std::string& name,
      const std::string& other) const;

  /// Of the parameters in `names`, those in a given set that the class replaces
  /// by numbers of its own; of one kind of layer, when that is given.
  std::set<std::string> replaced(
      const std::set<std::string>& names,
      const std::string& kind = "") const;

  /// True when a set of this type is taken as it is.
  bool takes(const std::string& type) const;

  /// The config with a rope of another type. One that follows the length does
  /// so from `kFewPositions` on. Of options, null takes one away.
  nlohmann::json with_type(
      const std::string& type,
      const nlohmann::json& options = nlohmann::json::object()) const;
  static constexpr int kFewPositions = 8;
  /// Some sources run a type only if it turns whole heads.
  ToldRope told(const std::string& type) const;

  /// The set of a config that has none, as Python; without what flat fields
  /// give, but for the parameters in `unread`.
  std::string own_set(const std::set<std::string>& unread) const;

  static std::optional<double> number_in(
      const eval::Value& set,
      const char* name);

  /// Those with texts for keys; none where it is no set.
  static std::vector<eval::Dict::Entry> entries_of(const eval::Value& set);

 private:
  void find_names();
  /// The config with a set of parameters, or one for each kind of layer.
  nlohmann::json with_sets(
      nlohmann::json config,
      const std::function<nlohmann::json(const std::string& kind)>& set) const;

  Context& context_;
  Configs& configs_;
  nlohmann::json bare_, scaled_;
  /// Of flat fields: those that the config's own file mentions as texts, and
  /// the usual ones.
  std::vector<std::string> names_;
};

}  // namespace portwright::emit

#pragma once

#include "emit/predicates.h"

namespace portwright::emit {

/// The opposite of a condition, as a person would write it.
std::string negated(const std::string& text);

/// Conditions where ModelArgs is at hand: in __init__.
class ArgsConditions : public Conditions {
 public:
  ArgsConditions(Context& context, Predicates& predicates, std::string prefix)
      : context_(context),
        predicates_(predicates),
        prefix_(std::move(prefix)) {}
  std::string text(int predicate, bool holds) override;

 private:
  Context& context_;
  Predicates& predicates_;
  std::string prefix_;  // "args.", "self.args."
};

/// Conditions where only the module's attributes are: in __call__. They become
/// attributes of the class, under house names.
class Flags : public Conditions {
 public:
  /// `modules` are instances, for the source's names of their attributes;
  /// `init` is what __init__ does already.
  Flags(
      Context& context,
      Predicates& predicates,
      const std::vector<eval::Value>& modules,
      const Block& init);
  /// Finds in what the conditions will decide how to call them.
  void study(const Block& call);
  std::string text(int predicate, bool holds) override;
  /// Puts the attributes made so far into __init__, after its scalars.
  void add_to(Block& init) const;

 private:
  /// Attributes that only some instances have.
  void add_chosen(const Statement& choice);
  std::string expression(int predicate);
  /// What the source calls it; "" where it keeps no such thing.
  std::string own_attribute(const std::string& spelling) const;
  /// An attribute by what it decides.
  std::string named(int predicate, const std::string& text);
  /// In what the source keeps, and fields; "" where that does not do.
  std::string by_attributes(const eval::Provenance& condition, bool is_part);
  std::string keep(const std::string& name, const std::string& value);

  Context& context_;
  Predicates& predicates_;
  std::vector<eval::Value> modules_;
  std::map<int, bool> rotates_;  // the outcome for which queries are rotated
  std::vector<std::pair<std::string, std::string>> known_;  // name, value
  std::vector<std::pair<std::string, std::string>> added_;
  std::set<std::string> chosen_;  // names that a condition makes
  /// The first that a predicate makes, and whether where it holds.
  std::map<int, std::pair<std::string, bool>> makes_;
  std::map<int, std::string> expressions_;
  bool has_args_ = false;  // self.args
};

}  // namespace portwright::emit

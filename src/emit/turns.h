#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace portwright::emit {

/// Stands in a statement for an element of a list that the loop keeps, by its
/// number and the length of the list then.
std::string element_mark(const std::string& list, size_t number, size_t length);

/// Stands in a statement for a number that picks a layer out of a list: itself,
/// and what it is in terms of the index, where that is known.
std::string pick_mark(int64_t number, const std::string& text);

/// Statements as they read after a loop, with numbers for the marks.
std::vector<std::string> outside_loops(std::vector<std::string> lines);

/// What the turns of a loop have in common.
struct Turns {
  /// Statements of each turn.
  std::vector<std::vector<std::string>> lines;
  /// The variable that counts the turns.
  std::string index;
  /// What one value is called when the loop begins, by names and marks: the
  /// first turn may read it by any.
  std::vector<std::string> aliases;
};

/// The statements of every turn, in terms of the index; nothing where turns
/// differ in another way.
std::optional<std::vector<std::string>> rolled(const Turns& turns);

}  // namespace portwright::emit

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "emit/context.h"

namespace portwright::emit {

/// How the attribute at a dotted path below `owner` is read, where all but the
/// first part lie in containers: owner.mlp[0], owner.gate["weight"].
std::string access_text(const std::string& owner, const std::string& path);

/// Weights that are called as something that every mlx.nn.Module has, being a
/// dictionary, are set and read as its items: self["keys"]. A hole where such a
/// name is no weight's. `made` has the attributes and what they are.
void spell_own_names(
    Context& context,
    const Frame& frame,
    const std::vector<std::pair<std::string, std::string>>& made,
    ClassText& text);

/// True for a part of a path that counts the elements of a list: "0", "12".
bool is_list_index(const std::string& part);

/// The lists and dictionaries of modules and arrays that a class holds, where
/// the source has containers (nn.Sequential, nn.ModuleDict, modules opened):
/// MLX names what lies in them by the same paths.
class Members {
 public:
  /// Puts `text` at a dotted path with at least two parts. Answers how to read
  /// it from self.
  std::string put(const std::string& path, const std::string& text);
  /// By the first part of the path: the text of the whole container. Gaps in
  /// lists are filled with nn.Identity(). `count` tells in Python how long a
  /// list is that has the same in every place; "" where that is written out.
  using Count = std::function<std::string(size_t)>;
  std::map<std::string, std::string> texts(const Count& count = {}) const;

 private:
  struct Node {
    std::string text;
    std::map<std::string, Node> children;
  };
  static std::string text_of(const Node& node, const Count& count);
  Node root_;
};

}  // namespace portwright::emit

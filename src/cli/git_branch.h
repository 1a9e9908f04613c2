#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"

namespace portwright::cli {

/// A commit of a clone of mlx-lm.
struct GitCommit {
  std::filesystem::path clone;
  /// As it was asked for.
  std::string branch;
  std::string digest;
};

/// Whether `folder` belongs to a git repository, as far as its files tell.
bool is_git_clone(const std::filesystem::path& folder);

/// The commit at the head of a branch, a remote's too, or any other name that
/// git knows a commit by. The Error is the user's.
base::Result<GitCommit> find_commit(
    const std::filesystem::path& clone,
    const std::string& branch);

/// Writes the package mlx_lm of a commit below `folder`. The clone, its work
/// tree and its index stay as they are.
base::Result<void> write_package(
    const GitCommit& commit,
    const std::filesystem::path& folder);

}  // namespace portwright::cli

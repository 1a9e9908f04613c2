#include "cli/git_branch.h"

#include <fmt/format.h>

#include "base/paths.h"
#include "base/subprocess.h"

namespace portwright::cli {
namespace {

namespace fs = std::filesystem;

constexpr base::Milliseconds kGitTimeout{120'000};

base::Result<base::Output> git(
    const fs::path& clone,
    std::vector<std::string> arguments,
    std::vector<std::pair<std::string, std::string>> environment = {}) {
  base::Command command;
  command.arguments = {"git", "-C", clone.string()};
  command.arguments.insert(
      command.arguments.end(), arguments.begin(), arguments.end());
  command.environment = std::move(environment);
  auto out = base::run(command, "", kGitTimeout);
  if (!out) {
    return base::fail(
        "git cannot be run: " + out.error().message,
        "install git, or give --mlx-lm a folder that holds the branch's files");
  }
  return out;
}

std::string line_of(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

}  // namespace

bool is_git_clone(const fs::path& folder) {
  std::error_code ignored;
  auto at = fs::weakly_canonical(folder, ignored);
  if (fs::exists(at / "HEAD", ignored) && fs::exists(at / "objects", ignored)) {
    return true;  // bare
  }
  for (; !at.empty(); at = at.parent_path()) {
    if (fs::exists(at / ".git", ignored)) {
      return true;
    }
    if (at == at.root_path()) {
      break;
    }
  }
  return false;
}

base::Result<GitCommit> find_commit(
    const fs::path& clone,
    const std::string& branch) {
  std::error_code ignored;
  if (!fs::is_directory(clone, ignored)) {
    return base::fail(
        clone.string() + " is no folder", "give --mlx-lm a clone of mlx-lm");
  }
  const auto inside = git(clone, {"rev-parse", "--git-dir"});
  if (!inside) {
    return tl::unexpected(inside.error());
  }
  if (!inside->status.ok()) {
    return base::fail(
        fmt::format(
            "{} is no git repository that can be read: {}",
            clone.string(),
            line_of(inside->err)),
        "give --mlx-lm a clone of mlx-lm, or leave --branch out for its files "
        "as they lie there");
  }
  std::vector<std::string> names = {branch};
  const auto remotes =
      git(clone,
          {"for-each-ref", "--format=%(refname)", "refs/remotes/*/" + branch});
  if (!remotes) {
    return tl::unexpected(remotes.error());
  }
  for (auto& name : lines_of(remotes->out)) {
    names.push_back(std::move(name));
  }
  for (const auto& name : names) {
    const auto found =
        git(clone,
            {"rev-parse",
             "--verify",
             "--quiet",
             "--end-of-options",
             name + "^{commit}"});
    if (!found) {
      return tl::unexpected(found.error());
    }
    if (found->status.ok()) {
      return GitCommit{clone, branch, line_of(found->out)};
    }
  }
  return base::fail(
      fmt::format("{} has no branch `{}`", clone.string(), branch),
      fmt::format(
          "`git -C {0} branch -a` lists those it has; `git -C {0} fetch "
          "<remote> {1}:{1}` brings it, of a pull request `git -C {0} fetch "
          "origin pull/<number>/head:{1}`",
          clone.string(),
          branch));
}

base::Result<void> write_package(
    const GitCommit& commit,
    const fs::path& folder) {
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  if (auto made = base::make_directories(folder); !made) {
    return made;
  }
  auto scratch = base::TemporaryDirectory::create("portwright-git");
  if (!scratch) {
    return tl::unexpected(scratch.error());
  }
  const std::vector<std::pair<std::string, std::string>> environment = {
      {"GIT_INDEX_FILE", (scratch->path() / "index").string()}};
  const auto prefix = fs::absolute(folder).string() + "/";
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{
            "read-tree", "--prefix=mlx_lm/", commit.digest + ":mlx_lm"},
        std::vector<std::string>{
            "checkout-index", "--all", "--prefix=" + prefix}}) {
    const auto done = git(commit.clone, arguments, environment);
    if (!done) {
      return tl::unexpected(done.error());
    }
    if (!done->status.ok()) {
      return base::fail(
          fmt::format(
              "the files of `{}` cannot be read from {}: {}",
              commit.branch,
              commit.clone.string(),
              line_of(done->err)),
          "the branch has to hold the folder mlx_lm");
    }
  }
  return {};
}

}  // namespace portwright::cli

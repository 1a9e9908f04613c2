#include "emit/sharding/splits.h"

#include <algorithm>

#include "emit/sharding/reading.h"

namespace portwright::emit::sharding {

namespace {

/// Which layers to hold whole, so that the others can be split.
class Search {
 public:
  Search(
      const std::vector<ClassText>& classes,
      const ClassText& text,
      bool sums)
      : classes_(classes), text_(text), sums_(sums) {}

  std::optional<Splits> run() {
    attempt({});
    return std::move(best_);
  }

 private:
  static size_t gain(const Splits& splits) {
    return std::count_if(
        splits.layers.begin(), splits.layers.end(), [](const auto& l) {
          return l.second.style != Splits::Style::Columns;
        });
  }

  void attempt(const std::set<std::string>& held) {
    if (!known_.insert(held).second || known_.size() > 300) {
      return;
    }
    std::set<std::string> makers;
    try {
      Reading reading(classes_, held);
      if (sums_) {
        reading.sum_up();
      }
      Splits found = reading.run(text_);
      const auto better = [&](const Splits& best) {
        return std::pair(gain(found), found.layers.size()) >
               std::pair(gain(best), best.layers.size());
      };
      if (gain(found) > 0 && (!best_ || better(*best_))) {
        best_ = std::move(found);
      }
      return;
    } catch (const Conflict& conflict) {
      makers = conflict.makers;
    }
    for (const auto& maker : makers) {
      auto more = held;
      if (more.insert(maker).second) {
        attempt(more);
      }
    }
  }

  const std::vector<ClassText>& classes_;
  const ClassText& text_;
  const bool sums_;
  std::set<std::set<std::string>> known_;
  std::optional<Splits> best_;
};

}  // namespace

std::optional<Splits> find_splits(
    const std::vector<ClassText>& classes,
    const ClassText& text) {
  auto apart = Search(classes, text, false).run();
  auto summed = Search(classes, text, true).run();
  if (summed && !summed->sums) {
    summed.reset();
  }
  const bool more =
      summed && (!apart || summed->layers.size() > apart->layers.size());
  return more ? summed : apart;
}

}  // namespace portwright::emit::sharding

#include "verify/plan.h"

#include <algorithm>
#include <functional>
#include <string>

namespace portwright::verify {
namespace {

using nlohmann::json;

constexpr int kPlannedSteps = 6;
constexpr int kLongestWindow = 128;
constexpr int kFar = 320;
// That the prompts of one plan have.
constexpr int kSalts = 16;

void visit_integers(
    const json& value,
    const std::function<void(const std::string&, int64_t)>& visit) {
  if (!value.is_object()) {
    return;
  }
  for (const auto& [key, entry] : value.items()) {
    if (entry.is_number_integer()) {
      visit(key, entry.get<int64_t>());
    } else {
      visit_integers(entry, visit);
    }
  }
}

bool is_window(const std::string& key) {
  return (key.find("window") != std::string::npos &&
          key.find("layers") == std::string::npos &&
          key.find("pattern") == std::string::npos) ||
         key == "attention_chunk_size" || key == "local_attention";
}

bool is_positions(const std::string& key) {
  return key == "max_position_embeddings" || key == "n_positions" ||
         key == "max_seq_len";
}

}  // namespace

Ids spread_ids(int count, int vocab, int salt) {
  // 37 is prime to every vocabulary that is not its multiple.
  const int step = vocab % 37 == 0 ? 41 : 37;
  Ids out(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    out[static_cast<size_t>(i)] = (i * step + 11 + salt * 101) % vocab;
  }
  return out;
}

bool Plan::takes(const Ids& prompt, size_t more) const {
  const auto length = static_cast<int64_t>(prompt.size() + more);
  return (positions == 0 || length <= positions) &&
         std::all_of(prompt.begin(), prompt.end(), [&](int id) {
           return id >= 0 && id < vocabulary;
         });
}

void Plan::end_far(int64_t length) {
  far.resize(static_cast<size_t>(length));
  far_prefill = std::max(1, static_cast<int>(length) - 4);
}

Plan make_plan(
    const json& config,
    const std::vector<int64_t>& forgetting,
    const Variants& variants) {
  int64_t vocab = 256;
  int64_t positions = 0;
  Plan plan;
  const auto add_window = [&](int64_t value) {
    const int window = static_cast<int>(std::min<int64_t>(value, 1 << 30));
    int& largest =
        window <= kLongestWindow ? plan.window : plan.unreached_window;
    largest = std::max(largest, window);
  };
  std::for_each(forgetting.begin(), forgetting.end(), add_window);
  visit_integers(config, [&](const std::string& key, int64_t value) {
    if (key == "vocab_size") {
      vocab = value;
    } else if (is_positions(key)) {
      positions = positions ? std::min(positions, value) : value;
    } else if (is_window(key) && value > 0) {
      add_window(value);
    }
  });
  // Special tokens sit at the end of a vocabulary, bytes at its beginning.
  const int range =
      static_cast<int>(std::clamp<int64_t>(vocab - 32, 1, 1 << 20));
  const int length = std::max(27, 3 * plan.window + 3);
  plan.ids = spread_ids(length, range, kSalts * variants.ids);
  plan.prefill = length - kPlannedSteps;
  for (const auto& [count, salt] :
       {std::pair{length - kPlannedSteps, 0}, {length / 3, 1}, {5, 2}}) {
    const int shifted = salt + kSalts * variants.batch;
    plan.batch.push_back(spread_ids(count, range, shifted));
    plan.batch_steps.push_back(spread_ids(4, range, shifted + 7));
  }
  plan.vocabulary = vocab;
  plan.positions = positions;
  const int64_t far = positions ? std::min<int64_t>(positions, kFar) : kFar;
  plan.far =
      spread_ids(static_cast<int>(far), range, 3 + kSalts * variants.far);
  plan.end_far(far);
  return plan;
}

}  // namespace portwright::verify

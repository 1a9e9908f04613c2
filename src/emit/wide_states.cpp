#include "emit/wide_states.h"

#include <algorithm>

namespace portwright::emit {

using torch::Dtype;

void find_wide_states(Context& context, const Roles& roles) {
  const trace::Twin* half = context.evaluation.half;
  const auto& layers = roles.layer_frames;
  if (!half || roles.counts_caches() || layers.size() < 2) {
    return;
  }
  std::set<std::pair<const Frame*, ValueId>> found;
  for (const Frame* layer : layers) {
    const auto given = data_inputs(context, *layer);
    if (given.empty() || half->output_dtype(*layer, 0) != Dtype::Float32) {
      return;
    }
    const auto at =
        std::find(layer->inputs.begin(), layer->inputs.end(), given.front());
    const auto place = static_cast<size_t>(at - layer->inputs.begin());
    if (layer != layers.front() &&
        half->input_dtype(*layer, place) != Dtype::Float32) {
      return;
    }
    found.emplace(layer, given.front());
  }
  context.wide_states = std::move(found);
}

}  // namespace portwright::emit

#pragma once

#include "emit/model_writer.h"

namespace portwright::emit {

/// The layers of the source's cache that hold a call's keys and values, in
/// order; each is a cache of its own.
std::vector<int64_t> layer_indices(const Frame& frame);

/// The calls that write states, in order, a cache's own calls not among them:
/// each has an array of the layer's cache.
std::vector<const Frame*> state_updates(const Frame& frame);

/// How many arrays the layer's cache has: states, and where modules without
/// keys read positions, how many tokens each row has had.
int state_arrays(const Context& context, const Frame& layer);

/// What the config's layer_types calls a layer; "" where it does not say.
std::string named_kind(Context& context, const Frame& layer);

/// Adds the kind of a layer that keeps states to `masks`.
void add_recurrent_layer(Context& context, const Frame& layer, Masks& masks);

/// Adds the kind of a layer that keeps nothing to `masks`.
void add_uncached_layer(Context& context, const Frame& layer, Masks& masks);

/// `mask`, or `masks` by kind, before the loop over the layers.
void write_recurrent_masks(
    ModuleWriter& w,
    const Context& context,
    const Masks& masks);

/// The path of `inner` as seen from `outer`, which holds it.
std::string below(const Frame& outer, const Frame& inner);

/// The make_cache method where layers share keys: one cache for each that keeps
/// its own.
std::string sharing_caches(Context& context, const Masks& masks);

/// The make_cache method.
std::string recurrent_caches(Context& context, const Masks& masks);

}  // namespace portwright::emit

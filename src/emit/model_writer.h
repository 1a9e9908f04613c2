#pragma once

#include "emit/module_writer.h"

namespace portwright::emit {

/// The frames that play the model's roles, found by shape: the chained layers,
/// the frame around them, and the causal LM around that.
struct Roles {
  const Frame* root = nullptr;
  const Frame* backbone = nullptr;
  std::vector<const Frame*> wrappers;  // between the two, outermost first
  std::string layers;  // attribute of the backbone: "layers", "h"
  std::vector<const Frame*> layer_frames;  // in order
  /// Where the backbone runs stacks of layers in turns: their calls, in order.
  /// The layers are then those of all calls.
  std::vector<const Frame*> stack_calls;
  /// Where the backbone runs layers otherwise than each once, after the one
  /// before it in one list: `layer_frames` are then all calls.
  bool program = false;
  /// True where layers have more caches than one each.
  bool counts_caches() const {
    return program || !stack_calls.empty();
  }
  /// True where the causal LM holds the layers itself, beside its head.
  bool is_flat() const {
    return backbone == root;
  }
  /// The list of the layers: "self.layers", `self.blocks["h"]`.
  std::string layers_text(const std::string& owner = "self") const;
};

Roles find_roles(Context& context);

/// The kinds of mask the layers read, by layer: "full", "sliding", ...
struct Masks {
  std::vector<std::string> kinds;  // one per layer
  bool any_sliding = false;
  bool any_full = false;
  bool any_chunked = false;
  bool window_or_none = false;  // full here; a window where it is set
  /// What layer_types calls the layers that keep states; "" without such.
  std::string recurrent;
  int states = 0;     // arrays that each of them keeps
  bool both = false;  // every layer keeps states, and keys and values
  /// ... by kind: whether its keys slide. Layers without a kind are
  /// "recurrent".
  std::map<std::string, bool> both_slides;
  int attentions = 1;  // caches of keys and values that every layer has
  /// The module that keeps the keys of an index, by path below a layer that has
  /// one; "" without such.
  std::string index;
  bool all_indexed = false;    // ... in every layer
  bool first_indexed = false;  // ... in the first
  /// What layer_types calls those that keep both, where others keep states
  /// alone; "" without such.
  std::string both_kind;
  std::set<std::string> uncached;  // kinds of layers that keep nothing

  /// The first layer's cache that attention reads.
  std::string first_cache() const {
    return both             ? "cache[0][1]"
           : attentions > 1 ? "cache[0][0]"
           : first_indexed  ? "cache[0][0] if cache[0] is not None else None"
                            : "cache[0]";
  }
  /// True where some layers that keep both slide, or where some do not.
  bool some_both(bool slide) const {
    return both &&
           std::any_of(both_slides.begin(), both_slides.end(), [&](auto& kind) {
             return kind.second == slide;
           });
  }
  /// How a layer's kind tells that it keeps both and slides.
  std::string sliding_test() const {
    std::set<std::string> kinds;
    for (const auto& [kind, slides] : both_slides) {
      if (slides) {
        kinds.insert(kind);
      }
    }
    return kinds.size() == 1 ? "kind == \"" + *kinds.begin() + "\""
                             : "kind in " + tuple_of(kinds);
  }
  /// True when layers of several kinds are told apart by layer_types.
  bool mixed() const {
    return (some_both(true) && some_both(false)) ||
           any_sliding + any_full + any_chunked + !recurrent.empty() +
                   !both_kind.empty() >
               1;
  }
};

Masks find_masks(Context& context, const Roles& roles);

/// The class of the backbone; the classes of the layers come before it.
ClassText
write_backbone(Context& context, const Roles& roles, const Masks& masks);
/// Its forward, up to what it answers: `w` knows that.
void write_stack(ModuleWriter& w, const Roles& roles, const Masks& masks);
/// A module around the backbone, which hands on what `inner` answers.
ClassText
write_wrapper(Context& context, const Frame& wrapper, const Frame& inner);

/// Classes for the modules on the way from `outer` (a path) to `inner` whose
/// own forward does not run; the name of the class that `outer` holds.
std::string
add_wrappers(Context& context, const std::string& outer, const Frame& inner);

/// Calls `visit` for every module's forward inside, outer ones first.
void for_each_module(
    const Frame& frame,
    const std::function<void(const Frame&)>& visit);
/// The forward of a module that a frame is part of, itself if it is one; null
/// outside of all.
const Frame* module_around(const Frame* frame);
/// The hidden states that a frame is given, each once; of a layer those that
/// some layer of its class reads.
std::vector<ValueId> data_inputs(const Context& context, const Frame& frame);
/// True for the forward of a whole layer.
bool is_layer(const Context& context, const Frame& frame);
/// True for what a layer is given and no layer of its class reads.
bool is_unread(const Context& context, const Frame& layer, ValueId id);
/// What models take beside self: inputs, cache, input_embeddings.
std::vector<std::string> call_parameters();

/// The kinds of masks of all drafts, noted in each of them, so that they write
/// what serves them all.
void share_mask_kinds(const std::vector<Context*>& drafts);

/// Writes the backbone and the causal LM; the classes of the layers come
/// before them in `context.classes`.
void write_model(Context& context);

/// The classes of the layers alone, where the model around them cannot be
/// written.
void write_layers_alone(Context& context);

}  // namespace portwright::emit

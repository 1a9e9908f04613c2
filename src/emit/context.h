#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/stopwatch.h"
#include "diagnostics/diagnostic.h"
#include "emit/carried.h"
#include "emit/shared_keys.h"
#include "eval/interpreter.h"
#include "lift/experts.h"
#include "lift/graph.h"
#include "trace/trace.h"
#include "trace/twin.h"

namespace portwright::emit {

using trace::Frame;
using trace::OpNode;
using trace::Trace;
using trace::ValueId;

/// What the traced evaluation was given. Batch, length and offset are numbers
/// that occur nowhere else in the model, so that they can be told in shapes.
struct Evaluation {
  const Trace* trace = nullptr;
  eval::Value model;  // the causal LM module
  eval::Value config;
  nlohmann::json json;  // what the config was read from
  ValueId ids = 0, positions = 0, mask = 0, logits = 0;
  int64_t batch = 0, length = 0, offset = 0;
  bool cached = true;  // the forward was recorded after others
  bool keeps = true;   // anything from one forward to the next
  /// The same forward in bfloat16, which shows the conversions that float32
  /// hides; null where the source does not run in it.
  const trace::Twin* half = nullptr;
  /// What states begin with that do not begin with zeros, by the value that
  /// the forward leaves; NaN where it is not one number.
  std::map<ValueId, float> first_states;
  /// Weights that layers share with others, and whose they are: checkpoints
  /// need not hold them. The model was recorded with weights of its own each.
  std::map<std::string, std::string> shared;
  /// Lists, by path below a layer, of which the n-th layer of a kind has the
  /// n-th element alone, as its first; and what layer_types calls the kind.
  std::map<std::string, std::string> own_elements;
  /// Weights that modules around the layers hand to them.
  std::set<ValueId> handed;
};

/// One class of the emitted file.
struct ClassText {
  std::string name;
  std::string bases = "nn.Module";
  std::vector<std::string> init_params;  // after self
  std::vector<std::string> init;         // statements after super().__init__()
  std::vector<std::string> call_params;  // after self
  std::vector<std::string> call;
  std::vector<std::string> methods;  // further members, whole texts
  bool returns_tensor = true;        // else several
  /// The forward it was written from; null for a class of our own.
  const Frame* frame = nullptr;
};

/// Stands in a constructor's text where the layer index is handed on, if the
/// class turns out to need it: "Attention(args\x01)".
constexpr char kIndexMark = '\x01';
/// The same in the list of layers, where the index is `i`.
constexpr char kLayerMark = '\x02';

/// Experts' weights that the file holds in a switch layer.
struct ExpertWeights {
  std::string source;  // "mlp.experts", below a layer
  std::string target;  // "mlp.switch_mlp"
  std::string count;   // "args.num_experts"
  lift::Experts experts;
};

/// A layer that made keys and values of latents: nn.Linear(rank,
/// heads * (nope + values)), sizes in terms of ModelArgs.
struct Latent {
  std::string layer, heads, rank, nope, values;
  bool operator==(const Latent&) const = default;
};

/// A choice of the source that the file has made for good: a statement of
/// ModelArgs.__post_init__ refuses every config that would choose otherwise.
struct Guard {
  std::string refused;  // condition that raises; fields as self.x
  std::string message;  // Python literal
};

/// What a field of ModelArgs is where config.json has none or null.
struct FieldDefault {
  std::string text;       // fields spelled self.y
  bool zero_too = false;  // also where it is 0 or empty
  bool by_lack = false;   // getattr's: only for a config without the field
};

/// A construct that could not be translated; thrown, and listed by compile().
struct Hole {
  diagnostics::Diagnostic diagnostic;
};

/// A module that could not be translated, of which the file has a stub.
struct Gap {
  std::string id;  // of what it stands for, the same in every compilation
  diagnostics::Diagnostic hole;
  const Frame* frame;            // null for the whole model
  std::vector<ValueId> outputs;  // what of the module's answer is used
};

/// Activations by a registry's keys: {"gelu", "nn.gelu"}.
using ActivationTable = std::map<std::string, std::string>;

/// A type of rope that the file is to serve without having met it.
struct ToldRope {
  /// The first of them that the source runs tells.
  std::vector<nlohmann::json> configs;
  bool own = false;    // it takes a class of the file's own
  bool tried = false;  // left out unless the source runs one of them
};

/// What all parts of one emission share.
class Context {
 public:
  Context(eval::Interpreter& interp, const Evaluation& evaluation);

  eval::Interpreter& interp;
  const Evaluation& evaluation;
  const Trace& trace;
  lift::Flows flows;

  std::set<std::string> fields;  // config fields the file reads
  std::map<std::string, FieldDefault> defaults;
  std::set<std::string> imports;  // "from .base import BaseModelArgs", ...
  /// In order of first need; before they are merged, one for each instance.
  std::vector<ClassText> classes;
  std::vector<ExpertWeights> experts;
  std::vector<Latent> latents;
  std::set<std::string> convolutions;  // attributes that hold one
  std::string layers_path;             // "model.layers"
  /// Lists of layers that hold more than run, and how many do, of ModelArgs.
  std::map<std::string, std::string> layers_left;
  /// Where layers lie that are not in that list: other lists, or their paths.
  std::set<std::string> more_layers;
  /// True where layers run otherwise than each once, one after the other.
  bool runs_program = false;
  /// The states that layers are given in float32 in a bfloat16 model, each with
  /// its layer; the first is given them converted.
  std::set<std::pair<const Frame*, ValueId>> wide_states;
  /// What the backbone answers, where it converts it back for the head; else 0.
  ValueId narrow_answer = 0;
  std::vector<Carried> carried;
  SharedKeys shared_keys;
  SharedKeys shares_like;     // those of another draft of the file
  std::vector<Guard> guards;  // found while writing
  /// What submodules could not be translated; the file goes on without them.
  std::vector<diagnostics::Diagnostic> holes;
  std::vector<Gap> gaps;  // of them, those with a stub
  std::string embedding;  // "model.embed_tokens"
  /// How Model reads it: self.model.embed_tokens, self.model.wte["word"].
  std::string embedding_access;
  std::string head;  // "lm_head"
  /// A tied head with a bias holds the embedding's weight as its own.
  bool head_keeps_weight = false;
  std::string head_bias;  // the field by which a head that may be tied has one
  /// Kinds of layers that the file serves, where the config names them.
  std::set<std::string> layer_kinds;
  /// Where the tests stand that the drafts of the file decide differently.
  std::set<uint32_t> open_tests;
  /// The window of keys that slide, in terms of ModelArgs.
  std::string window = "args.sliding_window";
  /// Where the config does not name the kinds of layers, which of them slide:
  /// what ModelArgs.layer_types is a list of.
  std::string kinds_text;
  /// Kinds of masks that any draft of the file reads.
  std::set<std::string> mask_kinds;
  /// What layer_types calls the layers that keep states in any draft, and how
  /// many arrays each keeps; "" without such.
  std::string recurrent_kind;
  int recurrent_states = 0;
  std::map<std::string, std::string> own_elements;  // of all drafts
  std::string both_kind;  // ... that keep keys and values too, not all do
  /// Where all layers keep both, by kind: whether its keys slide.
  std::map<std::string, bool> both_slides;
  std::set<std::string> uncached_kinds;  // ... that keep nothing
  /// Model-level facts found on the way.
  bool needs_mask_array = false;
  bool takes_mask_array = false;     // another draft of the file needs it
  bool is_of_other_numbers = false;  // a draft with which others are compared
  /// Fields by which the file looks up an activation, and fields of which it
  /// has one value built in; both: the latter.
  std::set<std::string> looked_up, specialised;
  eval::Value activations;  // the registry they are looked up in
  /// By registry; drafts of one file share them.
  std::shared_ptr<std::map<const eval::Object*, ActivationTable>>
      activation_tables =
          std::make_shared<std::map<const eval::Object*, ActivationTable>>();
  double lift_ms = 0;  // time that finding idioms took
  bool chunked_masks = false;
  bool key_positions = false;
  /// The field that holds the fields of single layers; "" where none is read.
  std::string layer_fields;
  bool rope_by_kind = false;  // rope_parameters holds one set a layer kind
  std::set<std::string> rope_kinds;  // these kinds
  /// By kind, the parameters that its class has numbers of its own for,
  /// whatever it is given; those asked for.
  std::map<std::string, std::set<std::string>> rope_replaced;
  std::set<std::string> rope_types;  // the types of rope met
  std::set<std::string> own_ropes;   // those with a class of the file
  /// Types that are served though none was met.
  std::map<std::string, ToldRope> told_ropes;
  std::set<std::string> left_ropes;  // the file does not serve these types
  bool rope_fixed = false;           // the file does no other type
  bool rope_own_base = false;        // of another field than rope_theta
  bool yarn_mscale = false;          // a yarn met has mscale

  /// The module object at a path; null Value when absent.
  eval::Value module(const std::string& path) const;

  /// A scalar in terms of ModelArgs: "args.hidden_size // 2". `layer` is the
  /// name of the layer index where it is known.
  std::string args_text(const eval::Value& value);
  std::string args_text(const eval::Provenance* provenance);

  /// An integer the module keeps, by its value, in terms of ModelArgs; "" where
  /// it keeps none.
  std::string kept_integer(const eval::Value& module, int64_t value);
  /// The same, or the one field of the config with that value.
  std::string integer_text(const eval::Value& module, int64_t value);

  [[noreturn]] void hole(
      const base::Span& span,
      std::string message,
      std::string hint = "") const;

  /// Source class name without the family's prefix: "Attention".
  std::string short_name(const std::string& class_name) const;
  std::string family;  // the prefix: "Qwen3"

 private:
  std::optional<std::string> default_field(const eval::Provenance& p);
  std::map<std::string, eval::Value> modules_;
};

/// The field that a name is another name of, by the config's attribute_map.
std::string declared_name(const Context& context, const std::string& name);

/// House names for the source's: hidden_states -> h, query_states -> queries.
std::string house_name(const std::string& source_name);
/// ... for attributes: num_heads -> n_heads, scaling -> scale.
std::string house_attribute(const std::string& source_name);

/// Python text of a literal scalar.
std::string literal(eval::Interpreter& interp, const eval::Value& value);

}  // namespace portwright::emit

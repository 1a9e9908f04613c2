#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "emit/channels_last.h"
#include "emit/context.h"
#include "emit/expression.h"
#include "emit/step_writer.h"
#include "lift/causal_conv.h"
#include "lift/gated_delta.h"
#include "lift/selective_scan.h"
#include "lift/state_space.h"

namespace portwright::emit {

class ModuleWriter;

/// Emits what recurrent layers are made of, each at its place in a module's
/// data flow: convolutions over a kept state, and recurrences by mlx-lm's
/// shared functions. Padding enters no state: it is masked where states are
/// made.
class RecurrentWriter {
 public:
  explicit RecurrentWriter(ModuleWriter& writer)
      : w_(writer), channels_last_(writer) {}

  /// Lifts the idioms of the module's forward; a hole where a state is kept of
  /// something else.
  void find();

  bool owns(ValueId id) const;
  /// True for what a causal convolution answers.
  bool convolves(ValueId id) const;
  /// True for the calls that were recognised as a whole.
  bool covers(const Frame& frame) const {
    return covered_.contains(&frame);
  }
  /// What an owned value is computed from; nothing for values that are those
  /// of their operation.
  std::optional<std::vector<ValueId>> dependencies(ValueId id) const;
  Expression produce(ValueId id);
  /// The positions of the new tokens where no keys are kept: the layer's cache
  /// counts the tokens of each row beside its states.
  Expression positions();
  /// Methods of the class that the forward calls.
  const std::vector<std::string>& methods() const {
    return methods_;
  }

 private:
  struct Convolution {
    lift::CausalConv form;
    int slot = 0;  // of the layer's cache
  };
  struct Delta {
    lift::GatedDelta form;
    int slot = 0;
  };
  struct Space {
    lift::StateSpace form;
    int slot = 0;
  };

  struct Scan {
    lift::SelectiveScan form;
    int slot = 0;
  };

  std::vector<const Frame*> updates_of_layer() const;
  bool add_convolution(const lift::StateUpdate& update, int slot);
  bool add_step(const std::vector<StepWriter::Update>& updates);
  bool add_steps(std::vector<StepWriter::Update> updates);
  const StepWriter* step_of(ValueId id) const;
  bool add_stepped_convolution(const StepWriter::Update& update);
  bool add_recurrence(const lift::Recurrence& recurrence, int slot);
  std::string conv_member(const lift::CausalConv& form);
  void write_convolution(const Convolution& conv);
  void write_delta(const Delta& delta);
  void write_space(const Space& space);
  void write_scan(const Scan& scan);
  std::string time_step(const lift::SelectiveScan& form);
  ValueId linear_input(const lift::SelectiveScan& form) const;
  void write_state(const std::string& call, ValueId output, int slot);
  std::pair<std::string, std::string> unit_queries(const lift::GatedDelta&);
  std::string pair_text(const eval::Value& pair);

  ModuleWriter& w_;
  ChannelsLast channels_last_;
  std::deque<StepWriter> steps_;
  std::vector<Convolution> convolutions_;
  std::vector<Delta> deltas_;
  std::vector<Space> spaces_;
  std::vector<Scan> scans_;
  std::vector<std::string> methods_;
  std::set<const Frame*> covered_;
  bool advances_ = true;  // the layer's cache
};

}  // namespace portwright::emit

// Tells opt the names of the passes.
#include "passes.h"

#include "llvm/Passes/PassBuilder.h"
#include "llvm/Plugins/PassPlugin.h"

using namespace llvm;

template <typename Pass> static bool addIf(StringRef Asked, StringRef Name, ModulePassManager &Passes) {
  if (Asked != Name)
    return false;
  Passes.addPass(Pass());
  return true;
}

static bool parse(StringRef Name, ModulePassManager &Passes, ArrayRef<PassBuilder::PipelineElement>) {
  return addIf<sbf::AbortOnPanic>(Name, "sbf-panic", Passes) ||
         addIf<sbf::MemoryFunctions>(Name, "sbf-libc", Passes) ||
         addIf<sbf::DropSret>(Name, "sbf-sret", Passes) || addIf<sbf::PackArguments>(Name, "sbf-pack", Passes) ||
         addIf<sbf::ExpandDivision>(Name, "sbf-divide", Passes) ||
         addIf<sbf::ExpandShifts>(Name, "sbf-shift", Passes) ||
         addIf<sbf::ExpandProducts>(Name, "sbf-multiply", Passes) ||
         addIf<sbf::ExpandMemory>(Name, "sbf-memory", Passes);
}

extern "C" LLVM_ATTRIBUTE_WEAK PassPluginLibraryInfo llvmGetPassPluginInfo() {
  return {LLVM_PLUGIN_API_VERSION, "sbf", "1",
          [](PassBuilder &Builder) { Builder.registerPipelineParsingCallback(parse); }};
}

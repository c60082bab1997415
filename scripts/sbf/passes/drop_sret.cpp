// A function that returns a large value gets a pointer to write it to, marked sret. LLVM 22's BPF backend
// refuses the mark; without it the pointer is an ordinary argument, and means the same.
#include "passes.h"

#include "llvm/IR/InstIterator.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/Module.h"

using namespace llvm;

PreservedAnalyses sbf::DropSret::run(Module &M, ModuleAnalysisManager &) {
  for (auto &F : M) {
    for (auto &Argument : F.args())
      Argument.removeAttr(Attribute::StructRet);
    for (auto &I : instructions(F))
      if (auto *Call = dyn_cast<CallBase>(&I))
        for (unsigned K = 0; K < Call->arg_size(); K++)
          Call->removeParamAttr(K, Attribute::StructRet);
  }
  return PreservedAnalyses::none();
}

// The code generator writes short copies and fills of known length as loads and stores. For the others it
// would call the C library; the runtime's functions do the same, at a cost that hardly grows with the length.
#include "passes.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"

using namespace llvm;

// Eight loads and eight stores cost about as much as a call.
static const uint64_t Short = 64;

static void callRuntime(Module &M, MemIntrinsic *I) {
  IRBuilder<> B(I);
  auto *P = B.getPtrTy();
  auto *Length = B.CreateZExtOrTrunc(I->getLength(), B.getInt64Ty());
  if (auto *Fill = dyn_cast<MemSetInst>(I)) {
    auto Callee = M.getOrInsertFunction("sol_memset_", B.getVoidTy(), P, B.getInt8Ty(), B.getInt64Ty());
    B.CreateCall(Callee, {Fill->getDest(), Fill->getValue(), Length});
  } else {
    // Not sol_memcpy_: it refuses equal pointers, which llvm.memcpy allows. The cost is the same.
    auto Callee = M.getOrInsertFunction("sol_memmove_", B.getVoidTy(), P, P, B.getInt64Ty());
    B.CreateCall(Callee, {I->getDest(), cast<MemTransferInst>(I)->getSource(), Length});
  }
  I->eraseFromParent();
}

PreservedAnalyses sbf::ExpandMemory::run(Module &M, ModuleAnalysisManager &) {
  SmallVector<MemIntrinsic *> Work;
  for (auto &F : M)
    for (auto &I : instructions(F))
      if (auto *Memory = dyn_cast<MemIntrinsic>(&I)) {
        auto *Length = dyn_cast<ConstantInt>(Memory->getLength());
        if (!Length || Length->getValue().ugt(Short))
          Work.push_back(Memory);
      }
  for (auto *I : Work)
    callRuntime(M, I);
  return PreservedAnalyses::none();
}

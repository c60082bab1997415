// BPF passes arguments in five registers and has no arguments on the stack. A function type that needs more
// keeps what fits in four; the rest goes into a struct on the caller's stack, whose address is the fifth.
// The rule depends on the type alone, so calls through pointers and tables agree with the functions.
#include "passes.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"

using namespace llvm;

static const unsigned Registers = 5;

static unsigned registersOf(Type *T) {
  if (auto *Integer = dyn_cast<IntegerType>(T))
    return divideCeil(Integer->getBitWidth(), 64);
  if (auto *Struct = dyn_cast<StructType>(T)) {
    unsigned N = 0;
    for (auto *Element : Struct->elements())
      N += registersOf(Element);
    return N;
  }
  if (auto *Array = dyn_cast<ArrayType>(T))
    return Array->getNumElements() * registersOf(Array->getElementType());
  return T->isVoidTy() ? 0 : 1;
}

// One register returns a value; for a larger one the backend adds a pointer in front of the arguments.
static unsigned registersForReturn(FunctionType *FT) { return registersOf(FT->getReturnType()) > 1 ? 1 : 0; }

static bool isTooLong(FunctionType *FT) {
  unsigned N = registersForReturn(FT);
  for (auto *T : FT->params())
    N += registersOf(T);
  return N > Registers;
}

namespace {
struct Split {
  unsigned Kept;     // leading parameters that stay
  StructType *Rest;  // the others
  FunctionType *Type; // the leading ones and a pointer
};
} // namespace

static Split split(FunctionType *FT) {
  unsigned N = registersForReturn(FT), Kept = 0;
  while (Kept < FT->getNumParams() && N + registersOf(FT->getParamType(Kept)) <= Registers - 1)
    N += registersOf(FT->getParamType(Kept++));
  auto &C = FT->getContext();
  SmallVector<Type *> Leading(FT->params().take_front(Kept));
  Leading.push_back(PointerType::get(C, 0));
  return {Kept, StructType::get(C, FT->params().drop_front(Kept)),
          FunctionType::get(FT->getReturnType(), Leading, false)};
}

// Attributes of what stays. The memory effects go: the function now reads its caller's stack.
static AttributeList keptAttributes(LLVMContext &C, AttributeList All, const Split &S, unsigned Total) {
  SmallVector<AttributeSet> Parameters;
  for (unsigned K = 0; K < S.Kept; K++)
    Parameters.push_back(All.getParamAttrs(K));
  for (unsigned K = S.Kept; K < Total; K++)
    if (All.hasParamAttr(K, Attribute::ByVal))
      reportFatalUsageError("an argument that is passed by value on the stack");
  auto Own = All.getFnAttrs().removeAttribute(C, Attribute::Memory).removeAttribute(C, Attribute::Speculatable);
  return AttributeList::get(C, Own, All.getRetAttrs(), Parameters);
}

static void packFunction(Function *F) {
  auto S = split(F->getFunctionType());
  auto *New = Function::Create(S.Type, F->getLinkage(), F->getAddressSpace(), "", F->getParent());
  New->takeName(F);
  New->setAttributes(keptAttributes(F->getContext(), F->getAttributes(), S, F->arg_size()));
  New->setCallingConv(F->getCallingConv());
  New->setVisibility(F->getVisibility());
  New->setUnnamedAddr(F->getUnnamedAddr());
  New->splice(New->begin(), F);
  IRBuilder<> B(&*New->getEntryBlock().getFirstInsertionPt());
  for (unsigned K = 0; K < F->arg_size(); K++) {
    Value *V = New->getArg(std::min(K, S.Kept));
    if (K >= S.Kept)
      V = B.CreateLoad(S.Rest->getElementType(K - S.Kept), B.CreateStructGEP(S.Rest, V, K - S.Kept));
    F->getArg(K)->replaceAllUsesWith(V);
  }
  F->replaceAllUsesWith(New);
  F->eraseFromParent();
}

static void packCall(CallInst *Call) {
  if (Call->isMustTailCall())
    reportFatalUsageError("a call with many arguments that must be a tail call");
  auto S = split(Call->getFunctionType());
  IRBuilder<> Entry(&*Call->getFunction()->getEntryBlock().getFirstInsertionPt());
  auto *Rest = Entry.CreateAlloca(S.Rest);
  IRBuilder<> B(Call);
  SmallVector<Value *> Arguments(Call->arg_begin(), Call->arg_begin() + S.Kept);
  for (unsigned K = S.Kept; K < Call->arg_size(); K++)
    B.CreateStore(Call->getArgOperand(K), B.CreateStructGEP(S.Rest, Rest, K - S.Kept));
  Arguments.push_back(Rest);
  auto *New = B.CreateCall(S.Type, Call->getCalledOperand(), Arguments);
  New->setCallingConv(Call->getCallingConv());
  New->setAttributes(keptAttributes(Call->getContext(), Call->getAttributes(), S, Call->arg_size()));
  New->setTailCallKind(CallInst::TCK_NoTail); // the callee reads this frame
  Call->replaceAllUsesWith(New);
  Call->eraseFromParent();
}

PreservedAnalyses sbf::PackArguments::run(Module &M, ModuleAnalysisManager &) {
  SmallVector<Function *> Functions;
  SmallVector<CallInst *> Calls;
  for (auto &F : M) {
    if (!F.isDeclaration() && isTooLong(F.getFunctionType()))
      Functions.push_back(&F);
    for (auto &I : instructions(F)) {
      auto *Call = dyn_cast<CallInst>(&I);
      if (!Call || Call->isInlineAsm() || isa<IntrinsicInst>(Call))
        continue;
      auto *Callee = dyn_cast<Function>(Call->getCalledOperand());
      if (Callee && !Callee->isDeclaration() && Callee->getFunctionType() != Call->getFunctionType())
        reportFatalUsageError(Twine("a call of ") + Callee->getName() + " with other types than its own");
      if (isTooLong(Call->getFunctionType()))
        Calls.push_back(Call);
    }
  }
  for (auto *F : Functions)
    packFunction(F);
  for (auto *Call : Calls)
    packCall(Call);
  return PreservedAnalyses::none();
}

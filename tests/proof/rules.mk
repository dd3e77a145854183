# What is proven of the pure code, with Frama-C: see tests/proof/README.md.

## make proof       proves what tests/proof/proofs lists (some minutes); PROOFS="range plan_check" for some of it
## make proof-accept  does the same and takes what is proven now as what has to stay proven
.PHONY: proof proof-accept
proof proof-accept:
	@tools/deps.sh proof
	@tools/proof.sh $(BUILD) $(if $(filter proof-accept,$@),accept) $(PROOFS)

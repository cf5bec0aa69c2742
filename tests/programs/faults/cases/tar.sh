#: about: tar x of some thousand files onto the mount
#: run: bash {case} {inputs}
tar x -f "$1/many.tar"
echo "tar $?"
find . -type f | wc -l

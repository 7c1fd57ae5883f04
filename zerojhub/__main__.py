from zerojhub.cli import main

main()
